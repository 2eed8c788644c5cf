"""Networks: nn.Modules only, written from the published descriptions."""
