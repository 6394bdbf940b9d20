/** A board in the light, turned as its inertial unit says. Drawn only while it moves. */
import {
  AmbientLight, ArrowHelper, BoxGeometry, Color, DirectionalLight, Group, Matrix4, Mesh, MeshStandardMaterial, PerspectiveCamera,
  Quaternion, Scene, Vector3, WebGLRenderer,
} from 'three'
import type { Colours } from '../charts/colours'
import type { Attitude } from './imu'

/** How much of the way is gone in a frame. */
const kEase = 0.2
const kStill = 0.002

function part(size: [number, number, number], at: [number, number, number], material: MeshStandardMaterial): Mesh {
  const mesh = new Mesh(new BoxGeometry(...size), material)
  mesh.position.set(...at)
  return mesh
}

/** In the body's axes: x to its right, y ahead, z up. */
function makeBoard({ series, muted, text }: Colours): Group {
  const board = new Group()
  const of = (colour: string, roughness: number) => new MeshStandardMaterial({ color: new Color(colour), roughness })
  board.add(part([1.5, 2.2, 0.14], [0, 0, 0], of(series[0]!, 0.6)))
  board.add(part([0.55, 0.55, 0.12], [0, 0.1, 0.13], of(text, 0.4)))
  board.add(part([0.4, 0.3, 0.2], [0, -1.0, 0.17], of(muted, 0.3)))
  for (const side of [-0.66, 0.66]) board.add(part([0.1, 1.9, 0.16], [side, 0, 0.15], of(muted, 0.5)))
  const origin = new Vector3(0, 0, 0.1)
  const axes = [new Vector3(1, 0, 0), new Vector3(0, 1, 0), new Vector3(0, 0, 1)]
  axes.forEach((axis, index) => board.add(new ArrowHelper(axis, origin, index === 1 ? 1.8 : 1.4, new Color(series[index + 1]!), 0.25, 0.14)))
  return board
}

export class ImuScene {
  private readonly renderer: WebGLRenderer
  private readonly scene = new Scene()
  private readonly camera = new PerspectiveCamera(32, 1, 0.1, 50)
  private board: Group
  private readonly aim = new Quaternion()
  private frame = 0

  /** Throws where there is no WebGL. */
  constructor(canvas: HTMLCanvasElement, colours: Colours, private readonly still: boolean) {
    this.renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true })
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2))
    this.camera.position.set(0, 2.3, 5)
    this.camera.lookAt(0, 0, 0)
    const sun = new DirectionalLight(0xffffff, 2.2)
    sun.position.set(2, 5, 3)
    this.scene.add(new AmbientLight(0xffffff, 1.1), sun)
    this.board = makeBoard(colours)
    this.scene.add(this.board)
  }

  resize(width: number, height: number): void {
    this.renderer.setSize(width, height, false)
    this.camera.aspect = width / Math.max(height, 1)
    this.camera.updateProjectionMatrix()
    this.draw()
  }

  recolour(colours: Colours): void {
    const turned = this.board.quaternion.clone()
    this.scene.remove(this.board)
    this.board = makeBoard(colours)
    this.board.quaternion.copy(turned)
    this.scene.add(this.board)
    this.draw()
  }

  /** East, up and south are the scene's axes. */
  turn({ east, north, up }: Attitude): void {
    const matrix = new Matrix4().set(...east, 0, ...up, 0, -north[0], -north[1], -north[2], 0, 0, 0, 0, 1)
    this.aim.setFromRotationMatrix(matrix)
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.step())
  }

  private step(): void {
    this.frame = 0
    const { quaternion } = this.board
    quaternion.slerp(this.aim, this.still ? 1 : kEase)
    this.draw()
    if (quaternion.angleTo(this.aim) > kStill) this.frame = requestAnimationFrame(() => this.step())
  }

  private draw(): void {
    this.renderer.render(this.scene, this.camera)
  }

  end(): void {
    cancelAnimationFrame(this.frame)
    this.renderer.dispose()
    // Browsers keep few contexts; a page that comes and goes would run out of them.
    this.renderer.forceContextLoss()
  }
}
