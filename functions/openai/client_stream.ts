/** A connection without a byte for this long is one that proxies cut. */
const QUIET_MS = 15_000;
/** What a client may be behind, in bytes: a client that reads slowly slows its provider down. */
const MAX_BEHIND_BYTES = 256 * 1024;

/** How long a client may keep its provider waiting in all, before it has to do with how the answer ends. */
const HELD_UP_MS = 1_000;

/** What clients skip. */
const COMMENT = ": still here\n\n";

const encoder = new TextEncoder();

/** The answer's body, as the client reads it. */
export class ClientStream {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  #controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  #isClosed = false;
  #wanted = () => {};
  #waitedMs = 0;
  readonly #keepAlive: ReturnType<typeof setInterval>;
  #lastWrite = Date.now();

  readonly #onGone: () => void;

  /** What the answer cost is still to come: it is waited for, also if the client hangs up. */
  isAwaited = false;
  isGone = false;

  /** @param onGone called when the client hangs up, unless {@link isAwaited}, and never after {@link close} */
  constructor(onGone: () => void) {
    this.#onGone = onGone;
    this.readable = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#wanted(),
      cancel: () => this.hangUp(),
    }, { highWaterMark: MAX_BEHIND_BYTES, size: (chunk) => chunk!.length });
    this.#keepAlive = setInterval(() => this.#comment(), QUIET_MS / 3);
  }

  /** Hands bytes on; resolves when the client has room for more, or is gone. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#isClosed || bytes.length === 0) return;
    this.#lastWrite = Date.now();
    this.#controller.enqueue(bytes as Uint8Array<ArrayBuffer>);
    // Deno finds a connection gone by these very bytes, and cancels within enqueue: then nobody will ever want more.
    if (this.#isClosed || (this.#controller.desiredSize ?? 0) > 0) return;
    const from = performance.now();
    await new Promise<void>((resolve) => this.#wanted = resolve);
    this.#waitedMs += performance.now() - from;
  }

  /** Whether the client has kept its provider waiting. */
  get hasHeldUp(): boolean {
    return this.#waitedMs > HELD_UP_MS;
  }

  /** Hands one event on, whether there is room or not. */
  writeEvent(data: unknown): void {
    const text = typeof data === "string" ? data : JSON.stringify(data);
    void this.write(encoder.encode(`data: ${text}\n\n`));
  }

  /** Lets a write that waits for a client go on. */
  release(): void {
    this.#wanted();
  }

  /** Writes to a client that may be gone: only then is {@link ReadableStream.cancel} called. */
  probe(): void {
    if (this.#isClosed) return;
    this.#controller.enqueue(encoder.encode(COMMENT));
  }

  /** The client is gone; nothing after {@link close}: then a connection that ends is as it should be. */
  hangUp(): void {
    if (this.#isClosed) return;
    this.isGone = true;
    this.#end();
    if (!this.isAwaited) this.#onGone();
  }

  /** Ends the answer. */
  close(): void {
    if (this.#isClosed) return;
    this.#end();
    this.#controller.close();
  }

  #end(): void {
    this.#isClosed = true;
    clearInterval(this.#keepAlive);
    this.#wanted();
  }

  #comment(): void {
    if (this.#isClosed || Date.now() - this.#lastWrite < QUIET_MS) return;
    if ((this.#controller.desiredSize ?? 0) <= 0) return;
    this.#lastWrite = Date.now();
    this.probe();
  }
}
