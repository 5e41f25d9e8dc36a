/**
 * Serves requests on the port that the first argument names. Run by Deno. It ends when its
 * input ends, which the process that started it holds open, so it never outlives that process.
 */
export function serve(
  handler: (request: Request) => Response | Promise<Response>,
): void {
  Deno.serve({
    hostname: "127.0.0.1",
    port: Number(Deno.args[0]),
    onListen: () => console.log("functions ready"),
  }, handler);
  endWithParent();
}

async function endWithParent(): Promise<void> {
  for await (const _ of Deno.stdin.readable);
  Deno.exit(0);
}
