import { useCallback, useEffect, useRef, useState } from "react";
import { CreditsError } from "./error.ts";
import { isOpen, LOOK_AGAIN_MS } from "./generate.ts";
import type {
  Balance,
  Credits,
  GenerateOptions,
  Generation,
  GenerationRequest,
  Job,
  RunningGeneration,
  Text,
  TextOptions,
  TextRequest,
  WatchOptions,
} from "./index.ts";
import { pause } from "./pause.ts";

/** A balance that is watched. */
export interface CreditsState {
  /** Null before the first answer, and while nobody is signed in. */
  balance: Balance | null;
  /** Why the last look failed; null once one succeeds. */
  error: CreditsError | null;
  isLoading: boolean;
}

/**
 * Watches the balance while the component is there.
 *
 * @param credits made once, outside of the component
 */
export function useCredits(
  credits: Credits,
  { intervalMs }: Pick<WatchOptions, "intervalMs"> = {},
): CreditsState {
  const [state, setState] = useState<CreditsState>(UNKNOWN);
  useEffect(() => {
    setState(UNKNOWN);
    return credits.watch(
      (balance) => setState({ balance, error: null, isLoading: false }),
      {
        intervalMs,
        onError: (error) =>
          setState((before) => ({ ...before, error, isLoading: false })),
      },
    );
  }, [credits, intervalMs]);
  return state;
}

const UNKNOWN = { balance: null, error: null, isLoading: true };

/** How the newest generation of a component stands. */
export interface GenerateState {
  generation: Generation | null;
  /** Why it failed; what was charged is refunded. */
  error: CreditsError | null;
  isGenerating: boolean;
  /** The job, where its provider takes its time: `credits.cancel(running.job_id)` ends it. */
  running: RunningGeneration | null;
}

/** {@link GenerateState}, and what begins one. */
export interface UseGenerate extends GenerateState {
  /** Charges and generates. It throws nothing: the state says what became of it. */
  generate: (
    request: GenerationRequest,
    options?: GenerateOptions,
  ) => Promise<Generation | null>;
  /** Forgets what the state says. */
  reset: () => void;
}

/** Generates; the state is that of the newest call. */
export function useGenerate(credits: Credits): UseGenerate {
  const [state, setState] = useState<GenerateState>(IDLE);
  const newest = useRef(0);
  const generate = useCallback<UseGenerate["generate"]>(
    async (request, options = {}) => {
      const number = ++newest.current;
      const set = (change: Partial<GenerateState>) => {
        if (number === newest.current) setState({ ...IDLE, ...change });
      };
      set({ isGenerating: true });
      try {
        const generation = await credits.generate(request, {
          ...options,
          onRunning: (running) => {
            set({ isGenerating: true, running });
            options.onRunning?.(running);
          },
        });
        set({ generation });
        return generation;
      } catch (error) {
        // Another error comes from the caller's own signal, which ended the wait.
        set({ error: error instanceof CreditsError ? error : null });
        return null;
      }
    },
    [credits],
  );
  const reset = useCallback(() => {
    newest.current++;
    setState(IDLE);
  }, []);
  return { ...state, generate, reset };
}

const IDLE: GenerateState = {
  generation: null,
  error: null,
  isGenerating: false,
  running: null,
};

/** How the newest text of a component stands. */
export interface TextState {
  /** What has come so far. */
  text: string;
  /** The whole answer, with what it cost. */
  answer: Text | null;
  error: CreditsError | null;
  isWriting: boolean;
}

/** {@link TextState}, and what begins one. */
export interface UseText extends TextState {
  /** Streams a text. It throws nothing: the state says what became of it. */
  write: (request: TextRequest, options?: TextOptions) => Promise<Text | null>;
  /** Forgets what the state says. */
  reset: () => void;
}

/** Streams a text; the state is that of the newest call. */
export function useText(credits: Credits): UseText {
  const [state, setState] = useState<TextState>(NO_TEXT);
  const newest = useRef(0);
  const write = useCallback<UseText["write"]>(
    async (request, options = {}) => {
      const number = ++newest.current;
      const set = (change: Partial<TextState>) => {
        if (number === newest.current) {
          setState((before) => ({ ...before, ...change }));
        }
      };
      set({ ...NO_TEXT, isWriting: true });
      try {
        const answer = await credits.text(request, {
          ...options,
          onText: (text) => {
            set({ text });
            options.onText?.(text);
          },
        });
        set({ answer, isWriting: false });
        return answer;
      } catch (error) {
        // Another error comes from the caller's own signal, which ended the answer.
        const failure = error instanceof CreditsError ? error : null;
        set({ error: failure, isWriting: false });
        return null;
      }
    },
    [credits],
  );
  const reset = useCallback(() => {
    newest.current++;
    setState(NO_TEXT);
  }, []);
  return { ...state, write, reset };
}

const NO_TEXT: TextState = {
  text: "",
  answer: null,
  error: null,
  isWriting: false,
};

/** A job that is looked at until it has ended. */
export interface JobState {
  job: Job | null;
  error: CreditsError | null;
  isLoading: boolean;
}

/** Looks at a job until it has ended; at none while its id is null. */
export function useJob(credits: Credits, id: string | null): JobState {
  const [state, setState] = useState<JobState>(UNKNOWN_JOB);
  useEffect(() => {
    setState({ ...UNKNOWN_JOB, isLoading: id !== null });
    if (id === null) return;
    const controller = new AbortController();
    const { signal } = controller;
    const fail = (error: CreditsError) =>
      setState((before) => ({ ...before, error, isLoading: false }));
    /** Looks once; whether there is more to see. */
    const look = async () => {
      try {
        const job = await credits.job(id, { signal });
        if (!signal.aborted) setState({ job, error: null, isLoading: false });
        return isOpen(job);
      } catch (error) {
        if (signal.aborted || !(error instanceof CreditsError)) throw error;
        fail(error);
        return error.isRetryable;
      }
    };
    const watch = async () => {
      while (await look()) await pause(LOOK_AGAIN_MS, signal);
    };
    // What is thrown is the end of the component.
    watch().catch(() => {});
    return () => controller.abort();
  }, [credits, id]);
  return state;
}

const UNKNOWN_JOB = { job: null, error: null, isLoading: false };
