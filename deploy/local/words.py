"""What quickstart says to people: progress, and failures with the log's end and what to do."""

import sys

LOG_LINES = 20


def say(text):
    print(f"quickstart: {text}", file=sys.stderr, flush=True)


class Problem(Exception):
    def __init__(self, text, fix, log=None):
        super().__init__(text)
        self.fix = fix
        self.log = log

    def show(self):
        say(str(self))
        if self.log and self.log.exists():
            lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
            print(f"--- the end of {self.log}", *lines, "---", sep="\n", file=sys.stderr)
        say(f"what to do: {self.fix}")
