import { confirm, isCancel } from "@clack/prompts";
import type { Options } from "./main.ts";
import { Refusal } from "./refusal.ts";

/**
 * Asks once whether to do what was shown.
 * @throws {Refusal} where there is no terminal to ask in
 */
export async function approve(
  { yes, dryRun }: Pick<Options, "yes" | "dryRun">,
  question: string,
): Promise<boolean> {
  if (dryRun) {
    console.log("\nNothing was changed (--dry-run).");
    return false;
  }
  if (yes) return true;
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new Refusal("There is no terminal to ask in.", [
      "Run it with --yes to do this, or with --dry-run to see it alone.",
    ]);
  }
  const answer = await confirm({ message: question });
  if (answer === true && !isCancel(answer)) return true;
  console.log("Nothing was changed.");
  return false;
}
