import { authenticate } from "../_shared/auth.ts";
import { creditsDatabase } from "../_shared/credits_database.ts";
import { outputStore } from "../_shared/outputs.ts";
import { providerRegistry } from "../_shared/providers/registry.ts";
import { serveRoutes } from "../_shared/route.ts";
import { textDatabase as database } from "../_shared/text_database.ts";
import { callersOf } from "./caller.ts";
import {
  chatContract,
  embeddingsContract,
  imagesContract,
  modelsContract,
  speechContract,
} from "./contract.ts";
import { chatHandler } from "./chat.ts";
import { embeddingsHandler } from "./embeddings.ts";
import { answerOpenAiError } from "./errors.ts";
import { imagesHandler } from "./images.ts";
import { modelsHandler } from "./models.ts";
import { speechHandler } from "./speech.ts";
import { upstreamRegistry } from "./upstreams.ts";

const callers = callersOf(authenticate, database);
const environment = (name: string) => Deno.env.get(name);
const findUpstream = upstreamRegistry(environment);
const dependencies = { database, findUpstream };
const media = {
  database: creditsDatabase,
  findProvider: providerRegistry(environment),
  store: outputStore,
  chargeByKey: database.chargeImage,
};

/** The edge function `openai`: what any OpenAI client speaks to. */
export default {
  fetch: serveRoutes("openai", [
    {
      method: "POST",
      path: "/v1/chat/completions",
      contract: chatContract,
      handler: chatHandler(callers, dependencies),
    },
    {
      method: "POST",
      path: "/v1/embeddings",
      contract: embeddingsContract,
      handler: embeddingsHandler(callers, dependencies),
    },
    {
      method: "POST",
      path: "/v1/images/generations",
      contract: imagesContract,
      handler: imagesHandler(callers, media),
    },
    {
      method: "POST",
      path: "/v1/audio/speech",
      contract: speechContract,
      handler: speechHandler(callers, media),
    },
    {
      method: "GET",
      path: "/v1/models",
      contract: modelsContract,
      handler: modelsHandler(callers, database),
    },
  ], answerOpenAiError),
};
