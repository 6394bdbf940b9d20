/** Which widget shows a resource: its name says, if its value fits, else its value. */
import { defineAsyncComponent, type Component } from 'vue'
import TextWidget from './TextWidget.vue'

export interface Kind {
  component: Component
}

const kinds = {
  text: { component: TextWidget },
} satisfies Record<string, Kind>

export type KindName = keyof typeof kinds
void defineAsyncComponent
export const kindOf = (name: KindName): Kind => kinds[name]
export function choose(): KindName {
  return 'text'
}
