import type { Generation, Output } from "@atomic-credits/client";
import { useState } from "react";
import { creditsOf } from "./words.ts";

interface OutputsProps {
  generation: Generation;
  prompt: string;
}

/** The files of a generation, by their signed addresses, and what they cost. */
export function Outputs({ generation, prompt }: OutputsProps) {
  // The form's prompt changes while the picture stays.
  const [title] = useState(prompt);
  return (
    <>
      <div className="files" data-count={generation.outputs.length}>
        {generation.outputs.map((output) => (
          <File key={output.path} output={output} title={title} />
        ))}
      </div>
      <p className="note" role="status">
        Done. It cost {creditsOf(generation.cost)}.
      </p>
    </>
  );
}

function File({ output, title }: { output: Output; title: string }) {
  const { url, media_type, width, height } = output;
  if (media_type.startsWith("audio/")) {
    return <audio controls src={url} aria-label={title} />;
  }
  if (media_type.startsWith("video/")) {
    return <video controls loop muted autoPlay src={url} aria-label={title} />;
  }
  return <img src={url} alt={title} width={width} height={height} />;
}
