import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { constants, setPriority } from "node:os";
import { extname, join } from "node:path";
import { consoleHeaders } from "../console/policy.ts";
import { isBuilt } from "../console/sources.ts";
import { TYPES } from "./pages/serve.ts";

/** Where the operators' console is below the stack's address. */
export const CONSOLE_PATH = "/console";

/** The built console of a home. */
export function consoleFolder(home: string): string {
  return join(home, "console");
}

/** Serves the built console as a host outside would, with a configuration that allows the link of the demo operator. */
export function serveConsole(
  { url, publishableKey, home }: {
    url: string;
    publishableKey: string;
    home: string;
  },
): (request: Request) => Promise<Response> {
  const headers = consoleHeaders(url);
  const files = consoleFolder(home);
  return async (request) => {
    const path = new URL(request.url).pathname.slice(CONSOLE_PATH.length);
    if (path === "") {
      const location = `${CONSOLE_PATH}/`;
      return new Response(null, { status: 308, headers: { location } });
    }
    if (!["GET", "HEAD"].includes(request.method)) {
      return new Response("Only GET.\n", { status: 405, headers });
    }
    if (!existsSync(files)) {
      return new Response(NOT_YET, { status: 503, headers });
    }
    if (path === "/config.json") {
      return Response.json({ url, publishableKey, demo: true }, { headers });
    }
    const name = path === "/" ? "/index.html" : path;
    const type = TYPES[extname(name)];
    if (!type || !/^(\/assets)?\/[\w-]+(\.[\w-]+)+$/.test(name)) {
      return new Response("There is no such file.\n", { status: 404, headers });
    }
    try {
      const body = new Uint8Array(await readFile(join(files, name)));
      return new Response(body, {
        headers: { ...headers, "content-type": type },
      });
    } catch {
      return new Response("There is no such file.\n", { status: 404, headers });
    }
  };
}

const NOT_YET = `The console is not built here yet.

npm start builds it in the background, which takes a minute the first time, and says when it is ready.
`;

/**
 * Builds the console in a process of its own, of low priority, unless what is there was made from the same files.
 *
 * @param tell told once: that it is ready, or why not
 * @returns ends the build, if it still goes on
 */
export function buildConsoleBeside(
  project: string,
  home: string,
  tell: (line: string) => void,
): () => void {
  const folder = consoleFolder(home);
  const there = existsSync(join(project, "console"));
  if (!there || isBuilt(project, folder)) return () => {};
  const child = spawn(
    process.execPath,
    ["scripts/run.mjs", "console", "--build", "--out", folder],
    { cwd: project, detached: true, stdio: ["ignore", "ignore", "pipe"] },
  );
  let stopped = false;
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text) => complaint += text);
  child.once("error", ({ message }) => complaint += message);
  child.once("close", (code) => {
    if (stopped) return;
    tell(code === 0 ? "The console is ready." : cannotBuild(complaint));
  });
  yieldToOthers(child);
  return () => {
    stopped = true;
    end(child);
  };
}

function cannotBuild(complaint: string): string {
  const [line = ""] = complaint.trim().split("\n");
  return `The console cannot be built, all else works: ${line}\nTry it by itself: npm run console -- --build`;
}

function yieldToOthers({ pid }: ChildProcess): void {
  try {
    if (pid) setPriority(pid, constants.priority.PRIORITY_LOW);
  } catch {
    // It has ended, or this system has no priorities.
  }
}

/** Ends it with what it has started, such as npm. */
function end({ pid, exitCode }: ChildProcess): void {
  try {
    if (pid && exitCode === null) process.kill(-pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}
