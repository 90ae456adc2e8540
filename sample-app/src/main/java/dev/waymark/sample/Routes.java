package dev.waymark.sample;

import io.javalin.config.RoutesConfig;

/** Some of what the web server serves. */
@FunctionalInterface
interface Routes {
  /** Adds it. */
  void addTo(RoutesConfig routes);
}
