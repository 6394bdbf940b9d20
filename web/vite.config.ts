import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

// Relative addresses throughout, so that the broker may stand behind a path prefix. `npm run dev` talks to a
// broker on its default port.
export default defineConfig({
  base: './',
  plugins: [vue()],
  build: { target: 'es2021', modulePreload: { polyfill: false }, assetsInlineLimit: 0, chunkSizeWarningLimit: 600 },
  server: {
    proxy: {
      '/ws': { target: 'ws://127.0.0.1:8000', ws: true },
      '/api': 'http://127.0.0.1:8000',
    },
  },
})
