"""The example of proto/README.md, run as it stands there against a broker."""

import re

from system import ROOT


def test_the_example_runs(start_system):
    system = start_system(start=False)
    keys = {f"{role}_key": system.add_peer(role, role, system.folder / f"{role}.key") for role in ("gateway", "agent")}
    system.broker.start()
    text = (ROOT / "proto" / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names = {**keys, "port": system.broker_port}
    exec(compile(example, "proto/README.md", "exec"), names)
    names["client"].close()
    names["agent"].close()
