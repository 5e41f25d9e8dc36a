import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import { Problem } from "../../../functions/_shared/problem.ts";
import { buildPage, filesBelow, type PageSources } from "./build.ts";

/** Answers what a page has at this path; undefined where it has nothing. */
export type Page = (request: Request) => Promise<Response | undefined>;

/** A page, and who may hear why it cannot be built. */
export interface PageOptions extends PageSources {
  /** Addresses beside its own that it may talk to and show files of. */
  origins: readonly string[];
  log: (line: string) => void;
}

/** The files that pages are made of, and how they are served. */
export const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Serves a page, which is built when somebody first asks for it. */
export function servePage(options: PageOptions): Page {
  const { base, origins, log } = options;
  const headers = {
    "content-security-policy": policyFor(origins),
    "x-content-type-options": "nosniff",
    // A signed address, or that of a purchase, is nobody else's to know.
    "referrer-policy": "no-referrer",
  };
  let files: Promise<Map<string, string>> | undefined;
  return async ({ url, method }) => {
    const { pathname } = new URL(url);
    if (!isRead(method) || !isBelow(pathname, options)) return undefined;
    try {
      files ??= buildFiles(options);
      const file = (await files).get(pathname.slice(base.length));
      if (file === undefined) return undefined;
      const body = await readFile(file);
      const type = TYPES[extname(file)] ?? "application/octet-stream";
      return new Response(method === "HEAD" ? null : new Uint8Array(body), {
        headers: {
          ...headers,
          "content-type": type,
          "cache-control": cachingOf(pathname),
        },
      });
    } catch (error) {
      // Somebody may fix it meanwhile: the next request tries again.
      files = undefined;
      log(`The page at ${base} cannot be built: ${(error as Error).message}`);
      const detail = "The page cannot be built: npm start prints why.";
      throw new Problem("service_unavailable", detail);
    }
  };
}

function isRead(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

function isBelow(
  pathname: string,
  { base, project, folder }: PageOptions,
): boolean {
  return pathname.startsWith(base) && existsSync(join(project, folder));
}

/** Its files by their paths below the page's address; an empty path is index.html. */
async function buildFiles(options: PageOptions): Promise<Map<string, string>> {
  const folder = await buildPage(options);
  const files = new Map(
    filesBelow(folder).map((file) => [
      relative(folder, file).replaceAll(sep, "/"),
      file,
    ]),
  );
  return files.set("", join(folder, "index.html"));
}

/** Names in assets/ have a digest of what is in them. */
function cachingOf(pathname: string): string {
  return pathname.includes("/assets/")
    ? "public, max-age=31536000, immutable"
    : "no-cache";
}

/** No script, style or request but of these addresses. */
function policyFor(origins: readonly string[]): string {
  const own = ["'self'", ...origins].join(" ");
  return `default-src 'none'; script-src 'self'; style-src 'self'; ` +
    `connect-src ${own}; img-src ${own}; media-src ${own}; ` +
    `form-action 'self'; base-uri 'none'; frame-ancestors 'none'`;
}
