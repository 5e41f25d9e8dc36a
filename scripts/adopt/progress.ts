import { readable } from "./report.ts";

const SECONDS_BETWEEN_LINES = 2;

/** Tells how far the import is, and how fast: a line every two seconds, and the last. */
export class Progress {
  private readonly start = performance.now();
  private shown = -Infinity;
  private written = 0;

  /**
   * @param total entries in all
   * @param before entries that an earlier run wrote
   */
  constructor(
    private readonly total: number,
    private readonly before: number,
    private readonly say: (line: string) => void,
  ) {}

  /** Counts entries that were just committed. */
  add(entries: number): void {
    this.written += entries;
    const now = performance.now();
    const done = this.before + this.written;
    if (
      done < this.total && now - this.shown < SECONDS_BETWEEN_LINES * 1000
    ) return;
    this.shown = now;
    const rate = this.written / (now - this.start) * 1000;
    this.say(
      `  ${readable(done)} of ${readable(this.total)} entries (${
        Math.floor(done / this.total * 100)
      } %), ${readable(Math.round(rate))} a second, ${
        Math.ceil((this.total - done) / rate)
      } s left`,
    );
  }
}
