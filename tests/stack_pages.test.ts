import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { servePage } from "../scripts/stack/pages/serve.ts";

const HOST = "http://127.0.0.1:54321";

let project: string;
let logged: string[];
beforeEach(async () => {
  project = await mkdtemp(join(tmpdir(), "atomic-credits-page-"));
  logged = [];
  await mkdir(join(project, "client"));
  await mkdir(join(project, "page"));
  await writeFile(join(project, "package-lock.json"), "{}");
  await writeFile(
    join(project, "page", "index.html"),
    '<script type="module" src="./main.js"></script>',
  );
  await write("document.title = import.meta.env.VITE_WORD;");
});
afterEach(() => rm(project, { recursive: true, force: true }));

const write = (script: string) =>
  writeFile(join(project, "page", "main.js"), script);

/** A page as a stack serves it that has just been started. */
function start(word = "one") {
  const page = servePage({
    project,
    folder: "page",
    base: "/there/",
    cache: join(project, "cache"),
    variables: { VITE_WORD: word },
    origins: [HOST],
    log: (line) => logged.push(line),
  });
  return async (path = "/there/") => await page(new Request(`${HOST}${path}`));
}

/** The page's script, by the address that its HTML names. */
async function scriptOf(ask: ReturnType<typeof start>): Promise<string> {
  const html = await (await ask())!.text();
  const [, path] = /src="([^"]+\.js)"/.exec(html)!;
  const script = await ask(path);
  expect(script!.headers.get("cache-control")).toContain("immutable");
  return await script!.text();
}

const built = () => readdir(join(project, "cache"));

test("a page is built of its sources and its variables, once", async () => {
  expect(await scriptOf(start())).toContain("one");
  const [first, ...others] = await built();
  expect(others).toEqual([]);
  expect(await scriptOf(start())).toContain("one");
  expect(await built()).toEqual([first]);
  expect(await scriptOf(start("two"))).toContain("two");
  const [second, ...older] = await built();
  expect([second === first, older]).toEqual([false, []]);
  await write('document.title = "three";');
  expect(await scriptOf(start("two"))).toContain("three");
  expect(await built()).toHaveLength(1);
});

test("a page that cannot be built says so, until it can", async () => {
  await write("document.title = ;");
  const ask = start();
  await expect(ask()).rejects.toMatchObject({ code: "service_unavailable" });
  expect(logged).toEqual([
    expect.stringMatching(
      /^The page at \/there\/ cannot be built: [^]*main\.js/,
    ),
  ]);
  await write("document.title = 1;");
  expect((await ask())!.status).toBe(200);
});

test("a page has its own files, and nothing else is shown", async () => {
  const ask = start();
  for (const path of ["/", "/there", "/there/main.js", "/there/%2e%2e/x"]) {
    expect(await ask(path), path).toBeUndefined();
  }
});
