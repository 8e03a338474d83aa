import { useEffect, useState } from "react";
import { Devices } from "./devices/devices";
import { feed } from "./feed/connection";
import { useFeed } from "./feed/use-feed";
import { JobPage } from "./job/job-page";
import { useRoute } from "./lib/route";
import { logIn, logOut, takeCode, whoAmI } from "./lib/session";
import type { Login } from "./lib/types";
import { LoginForm } from "./login-form";
import { NewJob } from "./new-job/new-job";
import { Overview } from "./overview/overview";
import { Banner } from "./ui/banner";
import { Button } from "./ui/parts";
import { useTitle } from "./use-title";

const PAGES: [string, string][] = [
  ["", "Overview"],
  ["new", "New job"],
  ["devices", "Devices"],
];

function Page() {
  const [page, argument] = useRoute();
  if (page === "new") return <NewJob />;
  if (page === "devices") return <Devices />;
  if (page === "job" && argument) return <JobPage key={argument} jobId={argument} />;
  return <Overview />;
}

function Shell({ login, onLeave }: { login: Login; onLeave: () => void }) {
  const [page] = useRoute();
  useTitle(useFeed());
  return (
    <>
      <Banner />
      <header className="border-line border-b bg-card">
        <nav aria-label="Pages" className="mx-auto flex max-w-6xl flex-wrap items-center gap-4 px-4 py-3">
          <strong>ShadowWork</strong>
          {PAGES.map(([path, name]) => (
            <a
              key={path}
              href={`#/${path}`}
              aria-current={page === path ? "page" : undefined}
              className="text-sm text-quiet hover:text-text aria-[current=page]:text-accent"
            >
              {name}
            </a>
          ))}
          <span className="ml-auto text-sm text-quiet">
            {login.name || login.role} ({login.role})
          </span>
          <Button onClick={onLeave}>Log out</Button>
        </nav>
      </header>
      <main className="mx-auto grid max-w-6xl gap-4 p-4">
        <Page />
      </main>
    </>
  );
}

export function App() {
  const [login, setLogin] = useState<Login | null | undefined>(undefined);
  useEffect(() => {
    const code = takeCode();
    (code ? logIn({ code }) : whoAmI()).then(setLogin, () => setLogin(null));
  }, []);
  if (login === undefined) return null;
  if (login === null) return <LoginForm onLogin={setLogin} />;
  const leave = () => {
    feed.close();
    logOut().finally(() => setLogin(null));
  };
  return <Shell login={login} onLeave={leave} />;
}
