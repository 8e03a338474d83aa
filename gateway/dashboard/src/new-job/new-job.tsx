import { useEffect, useState } from "react";
import { api, words } from "../lib/api";
import { bytes } from "../lib/format";
import { go } from "../lib/route";
import type { Job, Kernel } from "../lib/types";
import { Button, Card, Problem, Progress } from "../ui/parts";
import type { Found } from "./collect";
import { DropZone } from "./drop-zone";
import { ParamField } from "./param-field";
import { defaults, toSend, type Values, wrongWith } from "./params";
import { submit } from "./upload";

function useKernels(): [Kernel[], string] {
  const [kernels, setKernels] = useState<Kernel[]>([]);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    api<{ types: Kernel[] }>("GET", "/api/types").then(
      (answer) => setKernels(answer.types),
      (reason) => setProblem(words(reason)),
    );
  }, []);
  return [kernels, problem];
}

export function NewJob() {
  const [kernels, cannotList] = useKernels();
  const [type, setType] = useState("");
  const [values, setValues] = useState<Values>({});
  const [name, setName] = useState("");
  const [files, setFiles] = useState<Found[]>([]);
  const [job, setJob] = useState<Job | null>(null);
  const [sent, setSent] = useState(0);
  const [problem, setProblem] = useState("");
  const kernel = kernels.find((each) => each.type === type);
  const choose = (next: Kernel) => {
    setType(next.type);
    setValues(defaults(next.params));
  };
  if (!kernel && kernels[0]) choose(kernels[0]);
  const total = files.reduce((sum, found) => sum + found.file.size, 0);
  const busy = job !== null && problem === "";
  const ready =
    kernel && files.length > 0 && kernel.params.every((param) => wrongWith(param, values[param.name]) === "");
  const begin = () => {
    if (!kernel) return;
    setProblem("");
    if ("Notification" in window && Notification.permission === "default") Notification.requestPermission();
    submit({ type, name, params: toSend(kernel.params, values), files }, setJob, setSent).then(
      (made) => go(`job/${made.jobId}`),
      (reason) => setProblem(words(reason)),
    );
  };
  return (
    <Card title="New job">
      <div className="grid gap-4">
        <DropZone files={files} onFiles={setFiles} />
        <fieldset className="flex flex-wrap gap-4">
          <legend className="mb-1 text-sm">What to do</legend>
          {kernels.map((each) => (
            <label key={each.type} className="flex items-center gap-2 text-sm">
              <input type="radio" name="type" checked={each.type === type} onChange={() => choose(each)} />
              {each.type} <span className="text-quiet">{each.title}</span>
            </label>
          ))}
        </fieldset>
        {kernel?.params.map((param) => (
          <ParamField
            key={`${type} ${param.name}`}
            param={param}
            value={values[param.name]}
            onChange={(value) => setValues({ ...values, [param.name]: value })}
          />
        ))}
        <label className="grid gap-1 text-sm">
          Name, if it is to have one
          <input
            value={name}
            onChange={(event) => setName(event.target.value)}
            className="rounded border border-line bg-page px-2 py-1.5"
          />
        </label>
        <Problem text={problem || cannotList} />
        {busy && (
          <p className="grid gap-1 text-sm text-quiet">
            <Progress share={total ? sent / total : 0} label="upload" />
            {bytes(sent)} of {bytes(total)} sent to{" "}
            <a href={`#/job/${job.jobId}`} className="text-accent underline">
              job {job.jobId}
            </a>
            , which works on what it has. After a reload, drop the same files again: they go on where they
            were.
          </p>
        )}
        <span>
          <Button strong disabled={!ready || busy} onClick={begin}>
            Start
          </Button>
        </span>
      </div>
    </Card>
  );
}
