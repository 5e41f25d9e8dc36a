import { createParser, type EventSourceMessage } from "eventsource-parser";
import { Delivered } from "./delivered.ts";
import { EventBlocks } from "./event_blocks.ts";
import { UpstreamFailure } from "./failure.ts";
import { Transcript } from "./transcript.ts";
import {
  namesPrice,
  readUsage,
  type ReportedUsage,
  withoutPrice,
} from "./usage.ts";

const NOTHING = new Uint8Array();
const encoder = new TextEncoder();

/** What of a chunk is looked at. */
interface Chunk {
  choices?: unknown;
  usage?: unknown;
  error?: unknown;
  x_groq?: { usage?: unknown };
}

/**
 * Reads a provider's stream beside its way to the client: counts the text, notes the usage. Bytes pass
 * as they came; only the usage's own chunk, an error and the end are kept back, to be sent with the cost.
 */
export class StreamReader {
  readonly delivered = new Delivered();
  usage?: ReportedUsage;
  /** The chunk that only has the usage, as it came. */
  usageChunk?: Record<string, unknown>;
  /** The answer as a whole, where it is kept. */
  readonly transcript?: Transcript;
  /** Whether the provider has said that this is the end. */
  isDone = false;
  #blocks = new EventBlocks();
  #decoder = new TextDecoder();
  #events: EventSourceMessage[] = [];
  #parser = createParser({ onEvent: (event) => this.#events.push(event) });

  /** @param isKept whether the answer is wanted as a whole, too */
  constructor(isKept = false) {
    if (isKept) this.transcript = new Transcript();
  }

  /**
   * Takes bytes as they come.
   *
   * @returns the bytes for the client
   * @throws {UpstreamFailure} where the provider sends an error
   */
  take(chunk: Uint8Array): Uint8Array {
    return this.#pass(this.#blocks.push(chunk));
  }

  /** Takes what came without the blank line that ends an event: some providers leave out the last one. */
  takeRest(): Uint8Array {
    const rest = this.#blocks.rest();
    if (rest.length === 0) return NOTHING;
    return this.#pass(new Uint8Array([...rest, 10, 10]));
  }

  /** Whether the answer is whole. */
  get isWhole(): boolean {
    return this.isDone || this.delivered.finishReason !== undefined;
  }

  #pass(block: Uint8Array): Uint8Array {
    if (block.length === 0) return NOTHING;
    this.#events = [];
    this.#parser.feed(this.#decoder.decode(block));
    const events = this.#events;
    const passing = events.map((event) => this.#forClient(event));
    if (passing.every((event, at) => event === events[at])) return block;
    return encoder.encode(
      passing.map((event) => event ? toText(event) : "").join(""),
    );
  }

  /** An event as the client gets it; undefined where it is not for the client. */
  #forClient(event: EventSourceMessage): EventSourceMessage | undefined {
    if (this.isDone) return undefined;
    if (event.data.trim() === "[DONE]") {
      this.isDone = true;
      return undefined;
    }
    const chunk = parse(event.data);
    if (!chunk) return event;
    if (chunk.error) throw new UpstreamFailure("provider_error");
    this.delivered.add(chunk.choices);
    this.transcript?.add(chunk as Record<string, unknown>);
    const usage = chunk.usage ?? chunk.x_groq?.usage;
    if (!usage) return event;
    this.usage = readUsage(usage) ?? this.usage;
    if (!Array.isArray(chunk.choices) || chunk.choices.length === 0) {
      this.usageChunk = chunk as Record<string, unknown>;
      return undefined;
    }
    // It comes with words: they pass, with its counts alone.
    if (!namesPrice(chunk.usage)) return event;
    const counts = { ...chunk, usage: withoutPrice(chunk.usage) };
    return { ...event, data: JSON.stringify(counts) };
  }
}

function parse(data: string): Chunk | undefined {
  try {
    const chunk: unknown = JSON.parse(data);
    return chunk !== null && typeof chunk === "object" ? chunk : undefined;
  } catch {
    return undefined;
  }
}

function toText({ event, id, data }: EventSourceMessage): string {
  const lines = data.split("\n").map((line) => `data: ${line}\n`).join("");
  return `${event ? `event: ${event}\n` : ""}${
    id ? `id: ${id}\n` : ""
  }${lines}\n`;
}
