"""A disk that loses what was not synced. `Log` is what record.c wrote down, `Disk` what of it is durable at some point, and
`Disk.lose` one of the states in which a power cut there may leave the disk.

The model promises what POSIX does, which is less than any file system we know of: a sync of a file makes its bytes and its
size durable and no name; a sync of a folder its names and no byte. Of the writes since the last sync each is there, or
not, or some of its sectors, in any order; of the changes of names in a folder since its last sync any beginning or any
subset. One change of one name is whole. What a journaling file system keeps besides is only some of these states."""

import os
import random
import struct

CREATE, MKDIR, LINK, UNLINK, RENAME, WRITE, TRUNCATE, SYNC = range(8)
HEAD = struct.Struct("=IIQQQ")  # struct record of record.c
SECTOR = 512
LOSSES = ["all", "nothing", "some", "reordered"]
FORGOTTEN = {"store.sqlite-shm", "store.lock"}  # shared memory, which every start makes anew; a lock


class Log:
    """The file that the recorders write to."""

    def __init__(self, path, under):
        self.path = path
        self.path.touch(0o600)
        self.env = {"RECORD_UNDER": str(under), "RECORD_LOG": str(path)}

    def position(self):
        """What has happened is before it."""
        return self.path.stat().st_size

    def read(self):
        """Its events: (where it ends, kind, inode, folder, at, name, to, data)."""
        log, at, events = memoryview(self.path.read_bytes()), 0, []
        while at < len(log):
            size, kind, inode, folder, where = HEAD.unpack_from(log, at)
            rest = bytes(log[at + HEAD.size:at + size])
            name, to, data = rest.split(b"\0", 2)
            at += size
            events.append((at, kind, inode, folder, where, name.decode(), to.decode(), data))
        return events


class File:
    def __init__(self, data=b""):
        self.data, self.size = bytearray(data), len(data)  # beyond its data it is zeros
        self.pending = []  # (at, data), or (size, None): since its last sync

    def apply(self, piece, kept=None):
        at, data = piece
        if data is None:
            self.size = at
            del self.data[at:]
            return
        for begin, end in kept or [(0, len(data))]:
            if len(self.data) < at + begin:
                self.data.extend(bytes(at + begin - len(self.data)))
            self.data[at + begin:at + end] = data[begin:end]
            self.size = max(self.size, at + end)

    def sync(self):
        for piece in self.pending:
            self.apply(piece)
        self.pending.clear()

    def lose(self, chance):
        """A copy as the power cut left it."""
        found = File()
        found.data, found.size = self.data.copy() if self.pending else self.data, self.size
        loss = chance.choice(LOSSES) if self.pending else "all"
        pieces = [] if loss == "all" else self.pending
        for piece in chance.sample(pieces, len(pieces)) if loss == "reordered" else pieces:
            if loss == "nothing" or chance.random() < 0.5:
                torn = loss != "nothing" and piece[1] and chance.random() < 0.25
                found.apply(piece, tear(chance, *piece) if torn else None)
        return found


def tear(chance, at, data):
    """Which parts of a write got there: some of its sectors; one sector in part."""
    size = len(data)
    if at // SECTOR == (at + size - 1) // SECTOR:
        return [(0, chance.randrange(size + 1))]
    edges = [0, *range(SECTOR - at % SECTOR, size, SECTOR), size]
    until = chance.randrange(len(edges)) if chance.random() < 0.5 else 0
    return [part for i, part in enumerate(zip(edges, edges[1:])) if (i < until if until else chance.random() < 0.5)] \
        or [(0, 0)]


class Folder:
    def __init__(self):
        self.names = {}
        self.pending = []  # (kind, name, to, file)

    def apply(self, change):
        kind, name, to, file = change
        if kind in (UNLINK, RENAME):
            self.names.pop(name, None)
        if kind != UNLINK:
            self.names[to if kind == RENAME else name] = file

    def sync(self):
        for change in self.pending:
            self.apply(change)
        self.pending.clear()

    def lose(self, chance):
        found = Folder()
        found.names = dict(self.names)
        loss = chance.choice(LOSSES) if self.pending else "all"
        end = {"all": 0, "reordered": chance.randrange(len(self.pending) + 1)}.get(loss, len(self.pending))
        for change in self.pending[:end]:  # their order is kept: what is missing is missing
            if loss != "some" or chance.random() < 0.5:
                found.apply(change)
        return found


class Disk:
    """`base`: the folder as it is before the first event, all of it durable."""

    def __init__(self, base, ignores=lambda path: False):
        self.inodes, self.paths = {}, {}
        self.root = self._take(base, "")
        self.ignores = ignores  # whether syncs of a path are (a disk that lies)

    def _take(self, path, name):
        inode = path.stat().st_ino
        if inode not in self.inodes:
            self.paths[inode] = name
            if path.is_dir():
                self.inodes[inode] = folder = Folder()
                folder.names = {entry.name: self._take(entry, f"{name}/{entry.name}") for entry in path.iterdir()
                                if entry.name not in FORGOTTEN}
            else:
                self.inodes[inode] = File(path.read_bytes())
        return self.inodes[inode]

    def step(self, event):
        _, kind, inode, folder, at, name, to, data = event
        if kind == SYNC:
            if inode in self.inodes and not self.ignores(self.paths[inode]):
                self.inodes[inode].sync()
        elif kind in (WRITE, TRUNCATE):
            if inode in self.inodes:
                self.inodes[inode].pending.append((at, data if kind == WRITE else None))
        elif name not in FORGOTTEN:
            if kind in (CREATE, MKDIR):
                self.inodes[inode] = File() if kind == CREATE else Folder()
                self.paths[inode] = f"{self.paths[folder]}/{name}"
            self.inodes[folder].pending.append((kind, name, to, self.inodes[inode] if inode else None))

    def lose(self, chance, into):
        """Puts the disk after a power cut into the folder `into`, which is not there yet."""
        self._put(self.root.lose(chance), chance, into, {})

    def _put(self, folder, chance, into, made):
        into.mkdir(mode=0o700)
        for name, node in folder.names.items():
            path = into / name
            if isinstance(node, Folder):
                self._put(node.lose(chance), chance, path, made)
            elif node in made:
                os.link(made[node], path)
            else:
                made[node] = path
                put(node.lose(chance), path)


class Careful(random.Random):
    """No chance: nothing is lost."""

    def choice(self, _):
        return "nothing"


def put(file, path):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, bytes(file.data).rstrip(b"\0"))
        os.ftruncate(fd, file.size)
    finally:
        os.close(fd)


def differences(a, b):
    """Names in which two folders differ."""
    def of(folder):
        return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
                for path in folder.rglob("*") if path.name not in FORGOTTEN}
    left, right = of(a), of(b)
    return sorted(name for name in left.keys() | right.keys() if left.get(name, 0) != right.get(name, 0))
