/** Which widget shows a resource: its name says, where its value fits, else its value. */
import { defineAsyncComponent, type AsyncComponentLoader, type Component } from 'vue'
import LoadError from './LoadError.vue'
import TextWidget from './TextWidget.vue'
import { leafOf } from './quantities'
import type { ValueClass } from './value_class'

export interface Kind {
  component: Component
  /** It has a control of its own, so that the form for any value steps back. */
  controls?: boolean
  /** It shows its resource in a chart. */
  chart?: boolean
  /** At least two columns, where there are as many. */
  wide?: boolean
}

const kDelayMs = 200
/** A part of the page that does not come in that time is said not to. */
const kLoadMs = 30_000
const lazy = (loader: AsyncComponentLoader) =>
  defineAsyncComponent({ loader, delay: kDelayMs, timeout: kLoadMs, errorComponent: LoadError, loadingComponent: undefined })

const kinds = {
  text: { component: TextWidget },
  number: { component: lazy(() => import('./NumberWidget.vue')), chart: true },
  switch: { component: lazy(() => import('./SwitchWidget.vue')), controls: true },
  enumeration: { component: lazy(() => import('./EnumerationWidget.vue')), controls: true },
  json: { component: lazy(() => import('./JsonWidget.vue')) },
  image: { component: lazy(() => import('./ImageWidget.vue')) },
  progress: { component: lazy(() => import('./ProgressWidget.vue')), chart: true },
  suit: { component: lazy(() => import('./SuitWidget.vue')) },
  position: { component: lazy(() => import('./PositionWidget.vue')), wide: true },
  imu: { component: lazy(() => import('./ImuWidget.vue')), wide: true },
  robot: { component: lazy(() => import('./RobotWidget.vue')), controls: true },
  joystick: { component: lazy(() => import('./JoystickWidget.vue')), controls: true },
  script: { component: lazy(() => import('./ScriptWidget.vue')), controls: true, wide: true },
} satisfies Record<string, Kind>

export type KindName = keyof typeof kinds

interface Rule {
  names: RegExp
  kind: KindName
  fits: readonly ValueClass[]
}

const kBits: readonly ValueClass[] = ['bit', 'boolean']
const kNumbers: readonly ValueClass[] = ['number', 'bit']
const kStructured: readonly ValueClass[] = ['json', 'text']
const kAny: readonly ValueClass[] = ['none', 'number', 'bit', 'boolean', 'json', 'word', 'text']

const rules: readonly Rule[] = [
  { names: /^(led|relay|switch|lamp|light|pump|valve|fan|heater|buzzer|power)[_-]?\w{0,8}$/, kind: 'switch', fits: kBits },
  { names: /^(position|location|gps|geo)$/, kind: 'position', fits: kStructured },
  { names: /^imu\d*$/, kind: 'imu', fits: kStructured },
  { names: /^(webcam|camera|image|picture|photo|snapshot)\d*$/, kind: 'image', fits: ['image', 'text'] },
  { names: /^(robot|buggybot)\d*$/, kind: 'robot', fits: kAny },
  { names: /^(ribot|joystick)\d*$/, kind: 'joystick', fits: kAny },
  { names: /^(js|javascript|script)$/, kind: 'script', fits: kAny },
  { names: /^suit[_-]?(state|status)?$/, kind: 'suit', fits: kAny },
  { names: /^(dwnld|download|progress)$/, kind: 'progress', fits: kNumbers },
  { names: /^(name|os|board|mcu|vendor|version|firmware|protocol|ip|id|uid|serial|hostname|text|message)$/, kind: 'text', fits: kAny },
]

const byClass: Record<ValueClass, KindName> = {
  none: 'text',
  image: 'image',
  number: 'number',
  bit: 'number',
  boolean: 'switch',
  json: 'json',
  word: 'enumeration',
  text: 'text',
}

export const kindOf = (name: KindName): Kind => kinds[name]

/** A resource that sends numbers stays one when it sends a word between them. */
export function choose(resource: string, value: ValueClass, before?: KindName): KindName {
  const leaf = leafOf(resource)
  const rule = rules.find(({ names, fits }) => names.test(leaf) && fits.includes(value))
  if (rule) return rule.kind
  const found = byClass[value]
  return before === 'number' && (found === 'text' || found === 'enumeration') ? 'number' : found
}
