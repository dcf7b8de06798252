// Points and lines, drawn with WebGL by twgl: 10 kB, and it makes no code out of text, which the page's policy forbids.

import { createBufferInfoFromArrays, createProgramInfo, drawBufferInfo, resizeCanvasToDisplaySize, setBuffersAndAttributes, setUniforms } from "twgl.js";
import type { BufferInfo, ProgramInfo } from "twgl.js";

/** What is in the middle, and how many pixels a unit takes. */
export interface View {
  x: number;
  y: number;
  scale: number;
}

export type Colour = [red: number, green: number, blue: number];

export interface Marks {
  places: number[];
  colours: Colour[];
}

const VERTEX = `
attribute vec2 place;
attribute vec3 colour;
uniform vec2 centre;
uniform vec2 scale;
uniform float size;
varying vec3 shown;
void main() {
  gl_Position = vec4((place - centre) * scale, 0.0, 1.0);
  gl_PointSize = size;
  shown = colour;
}`;
const FRAGMENT = `
precision mediump float;
uniform float dots;
varying vec3 shown;
void main() {
  vec2 off = gl_PointCoord - 0.5;
  if (dots > 0.5 && dot(off, off) > 0.25) discard;
  gl_FragColor = vec4(shown, 1.0);
}`;

export class Picture {
  private readonly gl: WebGLRenderingContext;
  private readonly program: ProgramInfo;
  private readonly layers = new Map<"points" | "lines" | "marks", BufferInfo | null>();

  /** Throws where the browser has no WebGL. */
  constructor(private readonly canvas: HTMLCanvasElement) {
    const gl = canvas.getContext("webgl", { antialias: false });
    if (gl === null) throw new Error("no WebGL");
    this.gl = gl;
    this.program = createProgramInfo(gl, [VERTEX, FRAGMENT]);
  }

  put(layer: "points" | "lines" | "marks", { places, colours }: Marks): void {
    const arrays = {
      place: { numComponents: 2, data: new Float32Array(places) },
      colour: { numComponents: 3, data: new Float32Array(colours.flat()) },
    };
    this.layers.set(layer, places.length === 0 ? null : createBufferInfoFromArrays(this.gl, arrays));
  }

  draw(view: View, background: Colour): void {
    const { gl, canvas, program } = this;
    resizeCanvasToDisplaySize(canvas);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(...background, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.useProgram(program.program);
    const scale = [(2 * view.scale) / canvas.width, (2 * view.scale) / canvas.height];
    for (const [layer, size] of [["points", 4], ["lines", 0], ["marks", 11]] as const) {
      const buffers = this.layers.get(layer);
      if (buffers == null) continue;
      setBuffersAndAttributes(gl, program, buffers);
      setUniforms(program, { centre: [view.x, view.y], scale, size, dots: size > 0 ? 1 : 0 });
      drawBufferInfo(gl, buffers, size > 0 ? gl.POINTS : gl.LINES);
    }
  }
}
