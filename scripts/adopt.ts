import { Adoption } from "./adopt/adoption.ts";
import { HELP, readOptions } from "./adopt/options.ts";
import type { Terminal } from "./terminal.ts";
import { isProven, isReady, proofText, reportText } from "./adopt/report.ts";

/** Reports what an adoption would do; with --apply does it. */
export async function main(terminal: Terminal): Promise<number> {
  const { console } = terminal;
  const options = readOptions(terminal);
  if (!options) {
    console.log(HELP);
    return 0;
  }
  const adoption = new Adoption(options, (line) => console.error(line));
  const { report, proof } = await adoption.run().finally(() => adoption.end());
  if (options.json) {
    console.log(JSON.stringify({ ...report, proof }, null, 2));
  } else {
    if (report) console.log(reportText(report));
    if (proof) console.log(proofText(proof));
    else if (report && isReady(report)) {
      console.log("Nothing was changed. To do this: the same with --apply.");
    } else console.log("Nothing was changed: decide what is open, see above.");
  }
  return (proof ? isProven(proof) : report && isReady(report)) ? 0 : 1;
}
