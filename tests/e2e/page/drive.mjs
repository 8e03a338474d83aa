// A person at the dashboard, in a real Chromium: node drive.mjs URL TOKEN FOLDER PICTURES. Logs in, hands over the files of
// FOLDER to be compressed, reloads in the middle, watches, downloads. Ends with a line of JSON; throws at what is wrong.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [url, token, folder, pictures] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const page = await browser.newPage({ viewport: { width: 1100, height: 800 } });
const said = [];
page.on("console", (message) => ["error", "warning"].includes(message.type()) && said.push(message.text()));
page.on("pageerror", (problem) => said.push(String(problem)));

async function visit() {
  await page.goto(url);
  await page.getByLabel("Token").fill("sw_wrong");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText("Nothing yet.").waitFor();
  said.length = 0; // the refused login is an error of the console's

  await page.getByRole("link", { name: "New job" }).click();
  const files = readdirSync(folder).filter((name) => statSync(join(folder, name)).isFile()).map((name) => join(folder, name));
  const fill = async () => {
    await page.getByTestId("files").setInputFiles(files);
    await page.getByText(`${files.length} files`).waitFor();
    await page.getByLabel("level").fill("99");
    await page.getByText("a whole number, 1 to 19").waitFor();
    await page.getByLabel("level").fill("19");
    await page.getByLabel("Name").fill("<script>alert(1)</script>");
  };
  await fill();
  if (pictures) await page.screenshot({ path: join(pictures, "new-job.png") });
  let added = 0;
  await page.route("**/inputs", (route) => (added++ < 10 ? route.continue() : undefined)); // the others never arrive
  const last = page.waitForRequest(() => added > 10);
  await page.getByRole("button", { name: "Start" }).click();
  await last;
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await page.reload(); // in the middle of the upload: the same files once more, and it goes on
  await fill();
  await page.getByRole("button", { name: "Start" }).click();
  await page.waitForURL(/#\/job\//);
  said.length = 0; // files that had been added without the page hearing of it were refused: 400
  await page.getByRole("heading", { name: "<script>alert(1)</script>" }).waitFor();
  await page.reload();
  await page.getByRole("link", { name: "Download" }).waitFor({ timeout: 60_000 });
  await page.getByRole("img", { name: new RegExp(`${files.length} completed|[1-9]\\d* completed, 0 failed`) }).waitFor();
  if (pictures) await page.screenshot({ path: join(pictures, "job.png") });
  const coming = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download" }).click();
  await (await coming).saveAs(join(folder, "result.tar"));

  await page.getByRole("link", { name: "Devices" }).click();
  await page.getByRole("button", { name: "Drain" }).first().click();
  await page.getByText("draining", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByText("draining", { exact: true }).waitFor({ state: "detached" });
  await page.getByRole("link", { name: "Overview" }).click();
  await page.getByText("<script>alert(1)</script>").waitFor(); // one job: two would be more than this waits for
  await page.emulateMedia({ colorScheme: "dark" });
  if (pictures) await page.screenshot({ path: join(pictures, "dark.png") });
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByLabel("Token").waitFor();
}

try {
  await visit();
} catch (problem) {
  console.error(`${problem}
said: ${said.join("\n")}
the page: ${await page.locator("body").innerText()}`);
  process.exit(1);
}
console.log(JSON.stringify({ said }));
await browser.close();
