"""Rebuild what a power cut may leave: un-fsynced bytes and folder entries are lost or torn.

A recorder keeps every change as inodes and folder entries. A state is a choice of which entries
and bytes had reached the disk; ``states`` yields those of an ordered journal, of folders that are
written each for itself, and of the strictest disk, which keeps only what was fsynced.
"""

from dataclasses import dataclass, field
from pathlib import Path

from spool_faults import WatchedFs

DATA = ("synced", "all", "torn")


@dataclass
class Inode:
    number: int
    is_folder: bool
    children: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """Names that change together: ((folder, name, inode number or None), ...)."""

    changes: tuple
    is_folder: bool

    @property
    def folders(self):
        return {folder for folder, _, _ in self.changes}


@dataclass(frozen=True)
class Data:
    inode: int
    data: bytes


@dataclass(frozen=True)
class Sync:
    inode: int


class Recorder(WatchedFs):
    """Does every call, and remembers what it changed below ``root``."""

    def __init__(self, root, *, data_syncs=True, folder_syncs=True):
        self.root = Path(root)
        self.data_syncs = data_syncs
        self.folder_syncs = folder_syncs
        self.ops = []
        self.inodes = []
        self.base = []
        self.descriptors = {}
        self.top = self._load(self.root)
        super().__init__()

    def _new(self, is_folder):
        self.inodes.append(Inode(len(self.inodes), is_folder))
        return self.inodes[-1]

    def _load(self, path):
        node = self._new(path.is_dir())
        for child in sorted(path.iterdir()) if path.is_dir() else ():
            node.children[child.name] = self._load(child)
            self.base.append((node.number, child.name, node.children[child.name].number))
        if not path.is_dir():
            self.base.append(Data(node.number, path.read_bytes()))
        return node

    def _node(self, path):
        node = self.top
        for part in Path(path).relative_to(self.root).parts:
            node = node.children[part]
        return node

    def _apply(self, *changes):
        for folder, name, node in changes:
            if node is None:
                folder.children.pop(name)
            else:
                folder.children[name] = node
        flat = ((f.number, name, n if n is None else n.number) for f, name, n in changes)
        is_folder = any(node is not None and node.is_folder for _, _, node in changes)
        self.ops.append(Entry(tuple(flat), is_folder))

    def _add(self, path, is_folder):
        node = self._new(is_folder)
        self._apply((self._node(path.parent), path.name, node))
        return node

    def note_written(self, path):
        """A program other than the spool has written a file."""
        self.ops.append(Data(self._add(path, is_folder=False).number, path.read_bytes()))

    def before(self, name, args):
        if name == "close":
            self.descriptors.pop(args[0], None)

    def after(self, name, args):
        path = args[0]
        if name == "create":
            self._add(path, is_folder=False)
        elif name == "mkdir":
            self._add(path, is_folder=True)
        elif name == "write":
            node = self._node(self.fds[args[0]])
            self.ops.append(Data(node.number, bytes(args[1])))
        elif name == "clone":
            clone = self.fds[args[0]]
            self.ops.append(Data(self._node(clone).number, Path(clone).read_bytes()))
        elif name == "fsync" and self.data_syncs:
            self.ops.append(Sync(self._node(self.fds[args[0]]).number))
        elif name == "fsync_dir" and self.folder_syncs:
            self.ops.append(Sync(self._node(path).number))
        elif name in {"unlink", "rmdir"}:
            self._apply((self._node(path.parent), path.name, None))
        elif name in {"rename", "rename_new"}:
            source, target = args
            node = self._node(source)
            self._apply(
                (self._node(source.parent), source.name, None),
                (self._node(target.parent), target.name, node),
            )
        elif name == "link":
            self._apply((self._node(args[1].parent), args[1].name, self._node(path)))


def states(recorder, stride=1, offset=0):
    """Yield (what, {relative path: bytes, folders None}) for cuts after each op, none twice."""
    seen = set()
    ops = recorder.ops
    for cut in range(offset, len(ops) + 1, stride):
        for what, kept in _choices(ops, cut):
            for data in DATA:
                state = _build(recorder, kept, _contents(recorder, cut, data))
                key = frozenset(state.items())
                if key not in seen:
                    seen.add(key)
                    yield f"power cut after change {cut} ({what}, data {data})", state


def _choices(ops, cut):
    """Yield (what, [(op number, its changes that reached the disk)])."""
    entries = [i for i in range(cut) if isinstance(ops[i], Entry)]
    whole = {i: (i, ops[i].changes) for i in entries}
    synced = {i: _synced(ops, i, cut) for i in entries}
    yield "everything", list(whole.values())
    last = max((i for i in range(cut) if isinstance(ops[i], Sync)), default=-1)
    for upto in range(last + 1, cut):
        yield f"journal up to {upto}", [whole[i] for i in entries if i < upto]
    yield "what was synced", [whole[i] for i in entries if synced[i]]
    yield "names by themselves", [(i, _apart(ops[i], synced[i])) for i in entries]
    lost = {folder for i in entries if not synced[i] for folder in ops[i].folders}
    for folder in lost:
        kept = [whole[i] for i in entries if synced[i] or folder not in ops[i].folders]
        yield f"folder {folder} late", kept


def _synced(ops, i, cut):
    later = {op.inode for op in ops[i + 1 : cut] if isinstance(op, Sync)}
    return ops[i].folders & later


def _apart(entry, synced):
    """A renamed file may keep its old name; it may not lose both, and a folder has one only."""
    if entry.is_folder:
        return entry.changes if synced else ()
    added = [change for change in entry.changes if change[2] is not None]
    if any(folder not in synced for folder, _, _ in added):
        return ()
    return tuple(change for change in entry.changes if change[0] in synced)


def _contents(recorder, cut, data):
    found = {op.inode: op.data for op in recorder.base if isinstance(op, Data)}
    written, durable = dict(found), dict(found)
    for op in recorder.ops[:cut]:
        if isinstance(op, Data):
            written[op.inode] = written.get(op.inode, b"") + op.data
        elif isinstance(op, Sync) and op.inode in written:
            durable[op.inode] = written[op.inode]
    if data == "all":
        return written
    if data == "synced":
        return durable
    return {number: _torn(durable.get(number, b""), full) for number, full in written.items()}


def _torn(durable, full):
    """Half of what was not synced arrived, the rest is zeros."""
    half = (len(full) - len(durable)) // 2
    return full[: len(durable) + half] + bytes(len(full) - len(durable) - half)


def _build(recorder, kept, contents):
    children = {}
    for op in recorder.base:
        if not isinstance(op, Data):
            children.setdefault(op[0], {})[op[1]] = op[2]
    for _, changes in kept:
        for folder, name, number in changes:
            names = children.setdefault(folder, {})
            names.pop(name, None)
            if number is not None:
                names[name] = number
    state = {}

    def walk(number, path):
        for name, child in children.get(number, {}).items():
            is_folder = recorder.inodes[child].is_folder
            state[f"{path}{name}"] = None if is_folder else contents.get(child, b"")
            if is_folder:
                walk(child, f"{path}{name}/")

    walk(recorder.top.number, "")
    return state


def lay_out(state, root):
    """Make the state real below ``root``."""
    for path, data in sorted(state.items()):
        if data is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(data)
