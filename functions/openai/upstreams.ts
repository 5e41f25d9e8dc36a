import { z } from "zod";
import { logEvent } from "../_shared/log.ts";
import { addressOf, type Environment } from "../_shared/settings.ts";
import { placeholderUpstream } from "./placeholder.ts";

/** Sends a request to a provider that speaks OpenAI's protocol. Its answer's body may still be on its way. */
export interface Upstream {
  /** The field that bounds the output. */
  capField: "max_tokens" | "max_completion_tokens";
  /** Whether it takes `stream_options`; one that does not sends its usage anyway. */
  takesStreamOptions: boolean;
  send(
    path: string,
    body: Record<string, unknown>,
    signal: AbortSignal,
  ): Promise<Response>;
}

/** Finds a provider of text by the name that the price book uses; undefined without its address or key. */
export type FindUpstream = (name: string) => Upstream | undefined;

/** Where a provider is, and which variable has its key. */
const upstreamSettings = z.strictObject({
  base_url: z.string(),
  /** Left out: it asks for none, such as a server of your own. */
  key: z.string().regex(/^[A-Z][A-Z0-9_]*$/).optional(),
  cap: z.enum(["max_tokens", "max_completion_tokens"]).default("max_tokens"),
  stream_options: z.boolean().default(true),
});
type UpstreamSettings = z.input<typeof upstreamSettings>;

/** Providers that need nothing but their key. */
const KNOWN: Record<string, UpstreamSettings> = {
  openai: {
    base_url: "https://api.openai.com/v1",
    key: "OPENAI_API_KEY",
    cap: "max_completion_tokens",
  },
  openrouter: {
    base_url: "https://openrouter.ai/api/v1",
    key: "OPENROUTER_API_KEY",
  },
  groq: {
    base_url: "https://api.groq.com/openai/v1",
    key: "GROQ_API_KEY",
    cap: "max_completion_tokens",
  },
  mistral: {
    base_url: "https://api.mistral.ai/v1",
    key: "MISTRAL_API_KEY",
    stream_options: false,
  },
  deepseek: {
    base_url: "https://api.deepseek.com/v1",
    key: "DEEPSEEK_API_KEY",
  },
  xai: {
    base_url: "https://api.x.ai/v1",
    key: "XAI_API_KEY",
    cap: "max_completion_tokens",
  },
  gemini: {
    base_url: "https://generativelanguage.googleapis.com/v1beta/openai",
    key: "GEMINI_API_KEY",
  },
  anthropic: {
    base_url: "https://api.anthropic.com/v1",
    key: "ANTHROPIC_API_KEY",
  },
};

/**
 * The providers of text that a model of the price book can name.
 *
 * @param environment reads keys, OPENAI_BASE_URL and TEXT_UPSTREAMS (JSON: further providers by name)
 */
export function upstreamRegistry(environment: Environment): FindUpstream {
  const openaiAddress = environment("OPENAI_BASE_URL");
  const all: Record<string, unknown> = {
    ...KNOWN,
    ...(openaiAddress &&
      { openai: { ...KNOWN.openai, base_url: openaiAddress } }),
    ...furtherUpstreams(environment("TEXT_UPSTREAMS")),
  };
  return (name) => {
    if (name === "placeholder") return placeholderUpstream;
    return Object.hasOwn(all, name)
      ? upstreamOf(name, all[name], environment)
      : undefined;
  };
}

function furtherUpstreams(value: string | undefined): Record<string, unknown> {
  if (!value) return {};
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(value));
  } catch {
    logEvent("error", "misconfigured", {
      variable: "TEXT_UPSTREAMS",
      remedy: 'Set it to JSON such as {"vllm": {"base_url": "https://…/v1"}}.',
    });
    return {};
  }
}

function upstreamOf(
  name: string,
  value: unknown,
  environment: Environment,
): Upstream | undefined {
  const { data: settings } = upstreamSettings.safeParse(value);
  const address = settings && addressOf("TEXT_UPSTREAMS", settings.base_url);
  if (!settings || !address) {
    logEvent("error", "misconfigured", {
      variable: "TEXT_UPSTREAMS",
      provider: name,
      remedy: "Give it a base_url, and the name of the variable with its key.",
    });
    return undefined;
  }
  const key = settings.key && environment(settings.key);
  if (settings.key && !key) {
    logEvent("error", "misconfigured", {
      variable: settings.key,
      provider: name,
      remedy: "Set it to the provider's key.",
    });
    return undefined;
  }
  return {
    capField: settings.cap,
    takesStreamOptions: settings.stream_options,
    send: (path, body, signal) =>
      fetch(`${address.replace(/\/$/, "")}/${path}`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          ...(key && { authorization: `Bearer ${key}` }),
        },
        body: JSON.stringify(body),
        signal,
        // A redirect would carry the key elsewhere.
        redirect: "manual",
      }),
  };
}
