import { type AgentProcess, memoryOf, openFileNames } from "../harness.ts";
import { liveHeapBytes } from "../live-heap.ts";

interface Sample {
  atMs: number;
  heapBytes: number;
}

/** What an agent and its warden have open and hold in memory, from its start on. */
export class Growth {
  readonly samples: Sample[] = [];
  readonly #agent: AgentProcess;
  readonly #filesBefore: string[];

  private constructor(agent: AgentProcess, files: string[]) {
    this.#agent = agent;
    this.#filesBefore = files;
  }

  /** Of one with whose work nobody has begun. */
  static async begin(agent: AgentProcess): Promise<Growth> {
    await liveHeapBytes(agent.inspector); // the inspector opens some of its own
    return new Growth(agent, filesOf(agent));
  }

  get agent(): AgentProcess {
    return this.#agent;
  }

  get filesBefore(): number {
    return this.#filesBefore.length;
  }

  get filesNow(): number {
    return filesOf(this.#agent).length;
  }

  /** What is open now and was not at the start, by what it is. */
  get filesMore(): string[] {
    const before = [...this.#filesBefore].map(withoutNumber);
    return filesOf(this.#agent)
      .map(withoutNumber)
      .filter((name) => {
        const at = before.indexOf(name);
        if (at >= 0) before.splice(at, 1);
        return at < 0;
      });
  }

  get residentBytes(): number[] {
    return [this.#agent.pid, ...this.#agent.wardens].map(memoryOf);
  }

  async sample(): Promise<void> {
    const heapBytes = await liveHeapBytes(this.#agent.inspector);
    this.samples.push({ atMs: performance.now(), heapBytes });
  }

  /** By how much the live heap has grown over the samples, after their first quarter: by the line that fits them best. */
  heapGrowthBytes(): number {
    const later = this.samples.slice(Math.floor(this.samples.length / 4));
    if (later.length < 3) return 0;
    const times = later.map(({ atMs }) => atMs);
    const meanTime = mean(times);
    const meanHeap = mean(later.map(({ heapBytes }) => heapBytes));
    const rise = sum(later.map(({ atMs, heapBytes }) => (atMs - meanTime) * (heapBytes - meanHeap)));
    const slope = rise / sum(times.map((time) => (time - meanTime) ** 2));
    return slope * (times.at(-1)! - times[0]!);
  }
}

function filesOf(agent: AgentProcess): string[] {
  return [agent.pid, ...agent.wardens].flatMap(openFileNames);
}

/** "socket:[4711]" is a socket. */
function withoutNumber(name: string): string {
  return name.replace(/\[\d+\]|\d+/g, "N");
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
