import { useState } from "react";
import { useFeed } from "../feed/use-feed";
import { api, words } from "../lib/api";
import { bytes, percent, plural } from "../lib/format";
import type { Device } from "../lib/types";
import { Button, Card, Problem, Status } from "../ui/parts";

function One({ device }: { device: Device }) {
  const [problem, setProblem] = useState("");
  const draining = device.status === "draining";
  const verb = draining ? "resume" : "drain";
  const change = () =>
    api("POST", `/api/devices/${device.deviceId}/${verb}`).then(
      () => setProblem(""),
      (reason) => setProblem(words(reason)),
    );
  const { platform, cpuCores, memory } = device.systemInfo;
  return (
    <li className="grid gap-1 border-line border-t py-3 first:border-t-0">
      <span className="flex flex-wrap items-center justify-between gap-2">
        <span className="min-w-0 truncate font-medium">{device.name}</span>
        <span className="flex items-center gap-3">
          <Status status={device.status} />
          {device.status !== "offline" && <Button onClick={change}>{draining ? "Resume" : "Drain"}</Button>}
        </span>
      </span>
      <span className="text-sm text-quiet">
        {device.reason ? `${device.reason}. ` : ""}
        {device.kind}, {platform}, {plural(cpuCores, "core")}, {bytes(memory)}; {plural(device.slots, "slot")}
        , load {percent(device.currentLoad)}; {plural(device.tasksCompleted, "chunk")} done; version{" "}
        {device.version}
      </span>
      <Problem text={problem} />
    </li>
  );
}

export function Devices() {
  const { devices } = useFeed();
  const list = [...devices.values()].sort((a, b) => a.name.localeCompare(b.name));
  return (
    <Card title="Devices">
      {list.length === 0 ? (
        <p>
          None yet. Start <code>shadow-agent</code> on a machine that is idle.
        </p>
      ) : (
        <ul>
          {list.map((device) => (
            <One key={device.deviceId} device={device} />
          ))}
        </ul>
      )}
    </Card>
  );
}
