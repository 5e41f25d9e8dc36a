/** An answer whose body has been read. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The body as JSON, or as text when it is not JSON. */
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

/** How a request differs from a GET with the secret key. */
export interface Call {
  readonly method?: "POST" | "DELETE";
  /** Sent as JSON. */
  readonly body?: unknown;
  /** A user's access token; then the publishable key goes with it. */
  readonly token?: string;
  /** The publishable key alone: nobody is signed in. */
  readonly anonymous?: boolean;
}

// A picture may take as long as an edge function may run.
const TIMEOUT_MS = 160_000;

/** Where a project is, and its keys. */
export interface Access {
  /** Without a slash at the end. */
  readonly url: string;
  readonly secretKey: string;
  readonly publishableKey: string;
  /** What its functions' names begin with. */
  readonly functionsPrefix?: string;
}

const FUNCTIONS = "/functions/v1/";

/** Data API, Auth and edge functions of a project. */
export class Project {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  /** Its address, without a slash at the end. */
  get url(): string {
    return this.#access.url;
  }

  /**
   * Sends a request to a path such as `/rest/v1/credit_accounts`, or to a function by its name without the prefix.
   * @throws when nothing answers
   */
  async call(path: string, call: Call = {}): Promise<Answer> {
    const response = await fetch(this.#addressOf(path), {
      method: call.method ?? (call.body === undefined ? "GET" : "POST"),
      headers: this.#headers(call),
      body: call.body === undefined ? undefined : JSON.stringify(call.body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch((error) => Promise.reject(this.#unanswered(path, error)));
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: parse(text),
    };
  }

  /**
   * Like {@link call}, for what must work for anything to be checked.
   * @returns the body
   * @throws when the status is not 2xx
   */
  // deno-lint-ignore no-explicit-any
  async must(path: string, call?: Call): Promise<any> {
    const { status, body } = await this.call(path, call);
    if (status >= 200 && status < 300) return body;
    const reason = body?.message ?? body?.msg ?? body?.error ?? body;
    throw new Error(`${path} answered ${status}: ${JSON.stringify(reason)}`);
  }

  /** Calls a database function with the secret key. */
  // deno-lint-ignore no-explicit-any
  rpc(name: string, parameters: Record<string, unknown> = {}): Promise<any> {
    return this.must(`/rest/v1/rpc/${name}`, { body: parameters });
  }

  #addressOf(path: string): string {
    const { url, functionsPrefix = "" } = this.#access;
    return path.startsWith(FUNCTIONS)
      ? url + FUNCTIONS + functionsPrefix + path.slice(FUNCTIONS.length)
      : url + path;
  }

  #unanswered(path: string, { name, message, cause }: Error): Error {
    if (name === "TimeoutError") {
      const seconds = TIMEOUT_MS / 1000;
      return new Error(`${path} has not answered within ${seconds} seconds`);
    }
    const { code = message } = cause as { code?: string } ?? {};
    return new Error(
      `${this.#access.url} does not answer (${code}): check --url, or start the local stack with npm start.`,
    );
  }

  #headers({ token, anonymous, body }: Call): Record<string, string> {
    const { secretKey, publishableKey } = this.#access;
    const key = token || anonymous ? publishableKey : secretKey;
    // Keys of the older kind are tokens themselves, and are sent as such too.
    const bearer = token ?? (key.startsWith("sb_") ? undefined : key);
    return {
      apikey: key,
      ...(bearer && { authorization: `Bearer ${bearer}` }),
      ...(body !== undefined && { "content-type": "application/json" }),
    };
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
