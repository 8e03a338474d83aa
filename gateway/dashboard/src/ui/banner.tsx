import { useFeed } from "../feed/use-feed";

/** Says what is away; nothing to do but wait: all goes on by itself. */
export function Banner() {
  const { gateway, broker, whole } = useFeed();
  if (gateway && broker) return null;
  if (!gateway && !whole) return null; // the first connection is being made
  return (
    <p role="status" className="bg-bad px-4 py-2 text-center text-sm text-on-accent">
      {gateway
        ? "The broker is away. Devices finish what they have; this page goes on when it is back."
        : "The gateway does not answer. Trying again."}
    </p>
  );
}
