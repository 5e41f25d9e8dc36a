import { SOURCES } from "./app.ts";
import type { Look } from "./look.ts";
import type { Change } from "./plan.ts";

/** Shows what was looked at and what will be done, a line per file; the functions' sources as one. */
export function showPlan(
  title: string,
  changes: readonly Change[],
  looks: readonly Look[] = [],
): void {
  console.log(`${title}\n`);
  for (const { result, text } of looks) {
    console.log(`  ${result.padEnd(12)} ${text}`);
  }
  if (looks.length > 0) console.log();
  const sources = new Map<Change["why"], number>();
  for (const { path, why } of changes) {
    if (path.startsWith(`${SOURCES}/`) && why !== "beside yours") {
      sources.set(why, (sources.get(why) ?? 0) + 1);
    } else {
      console.log(`  ${why.padEnd(12)} ${path}`);
    }
  }
  for (const [why, count] of sources) {
    console.log(`  ${why.padEnd(12)} ${SOURCES}/ (${count} files)`);
  }
}
