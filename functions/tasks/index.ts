import { authenticateSchedule as authenticate } from "../_shared/authenticate_schedule.ts";
import { callbackDatabase } from "../_shared/callback_database.ts";
import { creditsDatabase } from "../_shared/credits_database.ts";
import { outputStore as store } from "../_shared/outputs.ts";
import { callbackRegistry } from "../_shared/providers/callback_registry.ts";
import { serveRoutes } from "../_shared/route.ts";
import { askProviders } from "./ask_providers.ts";
import { taskRoutes } from "./handler.ts";

const asking = {
  database: { ...creditsDatabase, ...callbackDatabase },
  store,
  findProvider: callbackRegistry((name) => Deno.env.get(name)),
};

/** The edge function `tasks`: called on a schedule. */
export default {
  fetch: serveRoutes(
    "tasks",
    taskRoutes({
      authenticate,
      now: () => performance.now(),
      tasks: {
        "ask-providers": (isOver) => askProviders(asking, isOver),
      },
    }),
  ),
};
