import { type Kind, KINDS, type Wish } from "./kinds.ts";

const COUNTS = [1, 2, 4];

interface WishFieldsProps {
  wish: Wish;
  onChange: (wish: Wish) => void;
}

/** What to make, and of what. */
export function WishFields({ wish, onChange }: WishFieldsProps) {
  const { kind, prompt, count } = wish;
  /** A prompt that nobody has written gives way to the example of the other kind. */
  const choose = (next: Kind) => {
    const isOwn = prompt !== "" && prompt !== KINDS[kind].prompt;
    onChange({
      ...wish,
      kind: next,
      prompt: isOwn ? prompt : KINDS[next].prompt,
    });
  };
  return (
    <>
      <fieldset className="kinds">
        <legend>Make a</legend>
        {(Object.keys(KINDS) as Kind[]).map((name) => (
          <label key={name}>
            <input
              type="radio"
              name="kind"
              checked={name === kind}
              onChange={() => choose(name)}
            />
            {KINDS[name].label}
          </label>
        ))}
      </fieldset>
      <label>
        {kind === "speech" ? "What to say" : "Prompt"}
        <textarea
          rows={2}
          required
          maxLength={1000}
          value={prompt}
          onChange={(event) =>
            onChange({ ...wish, prompt: event.target.value })}
        />
      </label>
      {kind === "picture" && (
        <label className="inline">
          How many
          <select
            value={count}
            onChange={(event) =>
              onChange({ ...wish, count: Number(event.target.value) })}
          >
            {COUNTS.map((number) => <option key={number}>{number}</option>)}
          </select>
        </label>
      )}
    </>
  );
}
