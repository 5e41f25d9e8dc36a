import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** A way to a server that can fall silent: packets to it are dropped from then on, also by its kernel. */
export interface SilentHost {
  readonly port: number;
  readonly fallSilent: () => Promise<void>;
  readonly close: () => void;
}

/** Takes bytes to a port and back; SIGUSR1: a filter of each of its sockets drops each packet, with no answer. */
const SCRIPT = String.raw`
use strict;
use IO::Select;
use IO::Socket::INET;
$| = 1;
my $listener = IO::Socket::INET->new(Listen => 16, LocalAddr => "127.0.0.1") or die;
my $all = IO::Select->new($listener);
my (%peer, $silent);
$SIG{USR1} = sub { $silent = 1 };
print $listener->sockport, "\n";
until ($silent) {
  for my $from ($all->can_read) {
    if ($from == $listener) {
      my $in = $listener->accept or next;
      my $out = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $ARGV[0]) or die;
      ($peer{$in}, $peer{$out}) = ($out, $in);
      $all->add($in, $out);
    } elsif (my $to = $peer{$from}) {
      if (sysread $from, my $bytes, 65536) {
        syswrite $to, $bytes;
      } else {
        $all->remove($from, $to);
        delete @peer{$from, $to};
        close $from;
        close $to;
      }
    }
  }
}
my $nothing = pack "SCCL", 6, 0, 0, 0;
setsockopt $_, SOL_SOCKET, 26, pack "S x6 P", 1, $nothing or die for $all->handles;
print "silent\n";
sleep 60;
`;

export async function openSilentHost(to: number): Promise<SilentHost> {
  const host = spawn("perl", ["-e", SCRIPT, String(to)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const said = createInterface(host.stdout)[Symbol.asyncIterator]();
  const port = Number((await said.next()).value);
  return {
    port,
    fallSilent: async () => {
      host.kill("SIGUSR1");
      await said.next();
    },
    close: () => host.kill("SIGKILL"),
  };
}
