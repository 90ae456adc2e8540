package dev.waymark;

/** The listener that does nothing. */
enum Silent implements RoutingListener {
  INSTANCE
}
