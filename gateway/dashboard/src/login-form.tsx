import { type FormEvent, useState } from "react";
import { words } from "./lib/api";
import { logIn } from "./lib/session";
import type { Login } from "./lib/types";
import { Button, Card, Problem } from "./ui/parts";

export function LoginForm({ onLogin }: { onLogin: (login: Login) => void }) {
  const [token, setToken] = useState("");
  const [problem, setProblem] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    logIn({ token: token.trim() }).then(onLogin, (reason) => setProblem(words(reason)));
  };
  return (
    <main className="mx-auto max-w-md p-6 pt-16">
      <Card title="ShadowWork">
        <form onSubmit={submit} className="grid gap-3">
          <label className="grid gap-1 text-sm">
            Token
            <input
              type="password"
              autoComplete="current-password"
              required
              value={token}
              onChange={(event) => setToken(event.target.value)}
              className="rounded border border-line bg-page px-2 py-1.5"
            />
          </label>
          <Problem text={problem} />
          <Button type="submit" strong>
            Log in
          </Button>
          <p className="text-sm text-quiet">
            The first token is in the file that quickstart names. <code>shadowctl login-link</code> makes a
            link that needs none.
          </p>
        </form>
      </Card>
    </main>
  );
}
