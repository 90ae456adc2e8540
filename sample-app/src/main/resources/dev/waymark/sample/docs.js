// Everything comes from this server: no validator elsewhere, no fonts, no scripts.
SwaggerUIBundle({
  dom_id: '#api',
  urls: [
    {name: 'Version 2', url: '/openapi/v2.json'},
    {name: 'Version 1 (deprecated)', url: '/openapi/v1.json'}
  ],
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  layout: 'StandaloneLayout',
  validatorUrl: null,
  deepLinking: true
});
