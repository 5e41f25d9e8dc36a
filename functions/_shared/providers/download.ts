import { connectTo } from "./bounded_fetch.ts";
import type { CallbackProvider } from "./callback_provider.ts";
import type { MadeFile } from "./media.ts";
import { ProviderError } from "./provider.ts";

/** How long all files of a job may take, in milliseconds. */
const DOWNLOAD_MS = 60_000;

/**
 * Says of an address whether files may be fetched from it: the provider's host for files and those below it, or the
 * server that stands in for the provider.
 *
 * @param ownServer the address of that server, where there is one
 */
export function filesAt(
  host: string,
  ownServer: string | undefined,
): CallbackProvider["keepsFilesAt"] {
  const own = ownServer && URL.parse(ownServer)?.origin;
  return ({ protocol, hostname, port, username, password, origin }) => {
    if (username !== "" || password !== "") return false;
    const isHost = hostname === host || hostname.endsWith(`.${host}`);
    return origin === own || protocol === "https:" && isHost && port === "";
  };
}

/**
 * Opens as many files as were asked for, one after the other, from nowhere but the provider's own
 * places. Each streams while it is read.
 *
 * @throws {ProviderError} connection or timeout where it may do better later; else what is
 * wrong with them for good
 */
export async function* openDownloads(
  provider: Pick<CallbackProvider, "keepsFilesAt">,
  urls: readonly string[],
  n: number,
): AsyncGenerator<MadeFile> {
  const places = urls.slice(0, n).map((url) => URL.parse(url));
  const isSound = places.length === n &&
    places.every((url) => url !== null && provider.keepsFilesAt(url));
  if (!isSound) throw new ProviderError("broken_response");
  const signal = AbortSignal.timeout(DOWNLOAD_MS);
  for (const url of places) yield await open(url!, signal);
}

async function open(url: URL, signal: AbortSignal): Promise<MadeFile> {
  try {
    const { ok, status, body, headers } = await connectTo(url, { signal });
    if (ok && body) return { body, ...lengthOf(headers) };
    await body?.cancel();
    if (ok) throw new ProviderError("broken_response", status);
    const isPassing = status >= 500 || status === 429;
    throw new ProviderError(
      isPassing ? "connection" : "provider_error",
      status,
    );
  } catch (error) {
    throw signal.aborted ? new ProviderError("timeout") : error;
  }
}

/** What the sender says of the length: of a packed body it is another's. */
function lengthOf(headers: Headers): Pick<MadeFile, "bytes"> {
  const length = headers.get("content-length");
  return length && !headers.has("content-encoding")
    ? { bytes: Number(length) }
    : {};
}
