"""The built-in lip model: it paints nothing, it moves the person's own pixels."""
