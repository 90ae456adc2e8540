@NullMarked
package dev.waymark.testkit;

import org.jspecify.annotations.NullMarked;
