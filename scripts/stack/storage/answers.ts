const PREFIX = "/storage/v1";

type Answerer = (request: Request) => Promise<Response>;

interface Signed {
  signedUrl: string;
  token?: string;
}

/** Signs an address: supabase-js puts the project's URL and /storage/v1 before what it reads. */
export async function sign(
  request: Request,
  answer: Answerer,
): Promise<Response> {
  const signed = await answer(request);
  if (!signed.ok) return signed;
  const { signedUrl, token } = await signed.json() as Signed;
  const address = withoutPrefix(signedUrl);
  const named = token ? { url: address, token } : { signedURL: address };
  return withBody(signed, JSON.stringify(named));
}

/** Signs the addresses of several objects, one by one: some may not be there. */
export async function signMany(
  request: Request,
  answer: Answerer,
): Promise<Response> {
  const { paths, expiresIn }: { paths: string[]; expiresIn: number } =
    await request.json();
  const { url, method } = request;
  const headers = withoutLength(request.headers);
  const body = JSON.stringify({ expiresIn });
  const signed = [];
  for (const path of paths) {
    const one = await sign(
      new Request(`${url}/${encodeURI(path)}`, { method, headers, body }),
      answer,
    );
    const { signedURL = null, message = null } = await one.json() as {
      signedURL?: string;
      message?: string;
    };
    signed.push({ path, signedURL, error: message });
  }
  return Response.json(signed, {
    headers: { "access-control-allow-origin": "*" },
  });
}

function withoutPrefix(url: string): string {
  return url.replace(PREFIX, "");
}

/** What supabase-js asks a list for. */
interface Asked {
  prefix?: string;
  limit?: number;
  offset?: number;
}

interface Listed {
  name: string;
}

/** As many as the library lists at once: paging is done here, by folder. */
const ALL = 1_000_000;

/** Lists what is in a folder: its objects by their own name, and its folders, which have no id. */
export async function listLevel(
  request: Request,
  answer: Answerer,
): Promise<Response> {
  const asked: Asked = await request.json();
  const { prefix = "", limit = 100, offset = 0 } = asked;
  const folder = prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`;
  const { url, method, headers } = request;
  const body = JSON.stringify({
    ...asked,
    prefix: folder,
    limit: ALL,
    offset: 0,
  });
  const all = await answer(
    new Request(url, { method, headers: withoutLength(headers), body }),
  );
  if (!all.ok) return all;
  const level = new Map<string, unknown>();
  for (const object of await all.json() as Listed[]) {
    const [name, ...below] = object.name.slice(folder.length).split("/");
    if (!name || level.has(name)) continue;
    level.set(name, below.length > 0 ? folderNamed(name) : { ...object, name });
  }
  const page = [...level.values()].slice(offset, offset + limit);
  return withBody(all, JSON.stringify(page));
}

function folderNamed(name: string) {
  return {
    name,
    id: null,
    updated_at: null,
    created_at: null,
    last_accessed_at: null,
    metadata: null,
  };
}

function withoutLength(headers: Headers): Headers {
  const changed = new Headers(headers);
  changed.delete("content-length");
  return changed;
}

/** An answer with the same status and headers, and another body. */
function withBody(
  { status, headers }: Response,
  body: string,
): Response {
  const changed = new Headers(headers);
  changed.delete("content-length");
  return new Response(body, { status, headers: changed });
}
