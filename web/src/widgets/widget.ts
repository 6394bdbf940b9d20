/** What every widget gets: the host reads and writes, the widget shows. */
import type { LiveResource } from '../live/use_resource'
import type { Write } from '../live/use_write'

export type WidgetSize = 'card' | 'wide' | 'wall'

export interface WidgetProps {
  uid: string
  resource: string
  live: LiveResource
  write: Write
  size: WidgetSize
}
