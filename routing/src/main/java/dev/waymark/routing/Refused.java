package dev.waymark.routing;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * A JDBC method that is not offered and throws SQLSTATE 0A000. Kept at run time, so that a test
 * counts them and holds each to it.
 */
@Documented
@Target(ElementType.METHOD)
@Retention(RetentionPolicy.RUNTIME)
@interface Refused {
  /** Why. */
  String value();
}
