import { concat } from "@std/bytes/concat";

const LF = 10;
const CR = 13;

/** Largest single event, in bytes. */
export const MAX_EVENT_BYTES = 8 * 1024 * 1024;

/** Cuts a stream of bytes at the ends of events: a client never gets half an event that turns out to be for us. */
export class EventBlocks {
  #kept: Uint8Array[] = [];
  #keptBytes = 0;

  /**
   * @returns the bytes up to the end of the last whole event; empty where there is none
   * @throws RangeError for an event beyond {@link MAX_EVENT_BYTES}
   */
  push(chunk: Uint8Array): Uint8Array {
    const end = this.#endOfEvents(chunk);
    if (end === 0) {
      this.#keep(chunk);
      return new Uint8Array();
    }
    const whole = this.#kept.length === 0
      ? chunk.subarray(0, end)
      : concat([...this.#kept, chunk.subarray(0, end)]);
    this.#kept = [];
    this.#keptBytes = 0;
    if (end < chunk.length) this.#keep(chunk.subarray(end));
    return whole;
  }

  /** What has come after the last whole event. */
  rest(): Uint8Array {
    return concat(this.#kept);
  }

  #keep(chunk: Uint8Array): void {
    this.#kept.push(chunk);
    this.#keptBytes += chunk.length;
    if (this.#keptBytes > MAX_EVENT_BYTES) {
      throw new RangeError("an event of the provider is too large");
    }
  }

  /** Where the last blank line of a chunk ends: it ends an event. 0: there is none. */
  #endOfEvents(chunk: Uint8Array): number {
    const before = this.#lastBytes();
    const at = (index: number) =>
      index < 0 ? before[before.length + index] : chunk[index];
    for (let index = chunk.length - 1; index >= 0; index--) {
      if (at(index) !== LF) continue;
      const previous = at(index - 1) === CR ? at(index - 2) : at(index - 1);
      if (previous === LF) return index + 1;
    }
    return 0;
  }

  #lastBytes(): Uint8Array {
    const last = this.#kept.at(-1) ?? new Uint8Array();
    const beforeIt = this.#kept.at(-2) ?? new Uint8Array();
    return last.length >= 2
      ? last.subarray(-2)
      : concat([beforeIt.subarray(-2), last]);
  }
}
