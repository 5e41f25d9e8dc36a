import type { Look, Surroundings } from "./look.ts";
import type { ProjectAccess } from "./project_access.ts";

const TIMEOUT_MS = 10_000;
const NAMES = "names in the database";
const KEYS = "JWT signing keys";
const HOW =
  "for these set SUPABASE_URL and SUPABASE_SECRET_KEY here or in .env";

/** Asks the Data API which names are taken, and Auth by which keys it signs: two reads, and nothing else. */
export async function lookAtProject(
  project: ProjectAccess | undefined,
): Promise<Surroundings> {
  if (!project) {
    return {
      looks: [unchecked(`${NAMES}, ${KEYS}: ${HOW}`)],
    };
  }
  if (!isSafe(project.url)) {
    return {
      looks: [
        unchecked(`${NAMES}, ${KEYS}: ${project.url} is not an https address`),
      ],
    };
  }
  const [{ look, names }, keys] = await Promise.all([
    lookAtNames(project),
    lookAtKeys(project),
  ]);
  return { looks: [look, keys], names };
}

/** A key goes nowhere unencrypted but to this machine. */
function isSafe(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === "https:" ||
    ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
}

async function lookAtNames(
  project: ProjectAccess,
): Promise<{ look: Look; names?: Set<string> }> {
  const { url, secretKey, source } = project;
  if (!secretKey) {
    const look = unchecked(
      `${NAMES}: ${source} has no SUPABASE_SECRET_KEY; the migration refuses what is in its way`,
    );
    return { look };
  }
  try {
    // The root describes what the key may use, in the form of OpenAPI.
    const { paths } = await read(`${url}/rest/v1/`, secretKey);
    const names = Object.keys(paths)
      .map((path) => path.replace(/^\/(rpc\/)?/, ""))
      .filter(Boolean);
    const text = `${names.length} ${NAMES} (${url}, by ${source})`;
    return { look: { result: "checked", text }, names: new Set(names) };
  } catch (error) {
    return { look: unchecked(`${NAMES} (${url}): ${causeOf(error)}`) };
  }
}

async function lookAtKeys({ url, secretKey }: ProjectAccess): Promise<Look> {
  try {
    const { keys } = await read(
      `${url}/auth/v1/.well-known/jwks.json`,
      secretKey,
    );
    const algorithms = keys.map(({ alg }: { alg: string }) => alg);
    return algorithms.length > 0
      ? { result: "checked", text: `${KEYS}: ${algorithms.join(", ")}` }
      : {
        result: "note",
        text:
          `${KEYS}: none. The legacy JWT secret works, more slowly (docs/deploy.md, Legacy keys)`,
      };
  } catch (error) {
    return unchecked(`${KEYS}: ${causeOf(error)}`);
  }
}

// deno-lint-ignore no-explicit-any
async function read(address: string, key?: string): Promise<any> {
  const answer = await fetch(address, {
    headers: {
      ...(key && { apikey: key }),
      // Keys of the older kind are tokens themselves.
      ...(key && !key.startsWith("sb_") && { authorization: `Bearer ${key}` }),
    },
    redirect: "error",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!answer.ok) {
    await answer.body?.cancel();
    throw new Error(`it answers ${answer.status}`);
  }
  return await answer.json();
}

function causeOf(error: unknown): string {
  const { name, message, cause } = error as Error & {
    cause?: { code?: string };
  };
  if (name === "TypeError" && !cause) return "it answers something else";
  if (name === "SyntaxError") return "it answers something else";
  return cause?.code ?? message;
}

function unchecked(text: string): Look {
  return { result: "not checked", text };
}
