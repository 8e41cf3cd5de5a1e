"use client";
import "uplot/dist/uPlot.min.css";
import { useEffect, useRef, useState } from "react";
import type uPlot from "uplot";
import type { Memory } from "./use-contents.ts";

const HEIGHT = 260;
/** Half of what the vertical axis shows; the least that has room for all samples. It only grows, so that the plot does not jump. */
const RANGES = [128, 1024, 10_000, 32_768];

/** Signed 16-bit samples, little-endian, as a line. */
export default function Waveform({ memory }: { memory: Memory }) {
  const host = useRef<HTMLDivElement>(null);
  const [plot, setPlot] = useState<uPlot>();
  const range = useRef(RANGES[0]!);
  const samples = samplesOf(memory.bytes);
  const { min, max, mean } = summaryOf(samples);
  const needed = Math.max(Math.abs(min), Math.abs(max));
  range.current = RANGES.find((one) => one >= needed && one >= range.current) ?? RANGES.at(-1)!;

  useEffect(() => {
    const element = host.current;
    if (!element) return;
    let made: uPlot | undefined;
    let isGone = false;
    const observer = new ResizeObserver(() => made?.setSize({ width: element.clientWidth, height: HEIGHT }));
    void import("uplot").then(({ default: Plot }) => {
      if (isGone) return;
      made = new Plot(optionsFor(element, range), [[], []], element);
      observer.observe(element);
      setPlot(made);
    });
    return () => {
      isGone = true;
      observer.disconnect();
      made?.destroy();
    };
  }, []);

  useEffect(() => {
    const first = memory.offset / 2;
    plot?.setData([samples.map((_, index) => first + index), samples]);
  });

  return (
    <figure>
      <div
        ref={host}
        role="img"
        aria-label={`Waveform of ${samples.length} samples between ${min} and ${max}`}
        className="min-w-0 overflow-hidden text-accent"
        style={{ height: HEIGHT }}
      />
      <figcaption className="mt-1 flex flex-wrap gap-x-6 text-muted">
        <span>{samples.length} samples, 16 bits, signed, little-endian</span>
        <span>
          min <span className="text-ink">{min}</span>
        </span>
        <span>
          max <span className="text-ink">{max}</span>
        </span>
        <span>
          mean <span className="text-ink">{mean.toFixed(1)}</span>
        </span>
      </figcaption>
    </figure>
  );
}

function samplesOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length >> 1 }, (_, index) => view.getInt16(2 * index, true));
}

function summaryOf(samples: readonly number[]) {
  let [min, max, sum] = [samples[0] ?? 0, samples[0] ?? 0, 0];
  for (const sample of samples) {
    if (sample < min) min = sample;
    if (sample > max) max = sample;
    sum += sample;
  }
  return { min, max, mean: samples.length > 0 ? sum / samples.length : 0 };
}

/** Colours are asked for at each drawing, so that a change of theme shows. */
function optionsFor(element: HTMLElement, range: { current: number }): uPlot.Options {
  const colour = (name: string) => () => getComputedStyle(element.closest(name) ?? element).color;
  const line = () => getComputedStyle(element).borderTopColor;
  const axis = {
    stroke: colour("figure"),
    font: `11px ${getComputedStyle(document.body).fontFamily}`,
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1, size: 4 },
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: (_, min, max) => [min, max] },
      y: { range: () => [-range.current, range.current] },
    },
    axes: [axis, { ...axis, size: 54 }],
    series: [{}, { stroke: () => getComputedStyle(element).color, width: 1.25, points: { show: false } }],
  };
}
