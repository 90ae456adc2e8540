package dev.waymark.routing;

import java.lang.reflect.Array;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.temporal.TemporalAccessor;
import java.util.Collection;
import java.util.StringJoiner;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What a query's parameters are set to, as text: the same for the same values in every process, and
 * told without any server.
 */
final class ParameterText {
  private final StringJoiner calls = new StringJoiner(";");

  private ParameterText() {}

  static String of(ShardQuery.Parameters parameters) {
    ParameterText text = new ParameterText();
    try {
      parameters.set((PreparedStatement) text.recording(PreparedStatement.class, "statement"));
    } catch (SQLException | RuntimeException refused) {
      // What only the driver's own statement can do is not told.
      return "untold";
    }
    return text.calls.toString();
  }

  /** Something that takes every call down, and whose answers do the same. */
  private Object recording(Class<?> type, String name) {
    return Proxy.newProxyInstance(
        ParameterText.class.getClassLoader(),
        new Class<?>[] {type},
        (proxy, method, arguments) -> {
          if (method.getDeclaringClass() == Object.class) {
            return ofObject(proxy, method, arguments, name);
          }
          String call = name + "." + method.getName() + describe(arguments);
          if (method.getReturnType() == void.class) {
            calls.add(call);
            return null;
          }
          return answer(method.getReturnType(), call);
        });
  }

  private static Object ofObject(
      Object proxy, Method method, Object @Nullable [] arguments, String name) {
    return switch (method.getName()) {
      case "equals" -> arguments != null && proxy == arguments[0];
      case "hashCode" -> name.hashCode();
      default -> name;
    };
  }

  /** An array made by the statement's connection, for instance, is told by what it was made of. */
  private @Nullable Object answer(Class<?> type, String call) {
    if (type.isInterface()) {
      return recording(type, call);
    }
    if (type.isPrimitive()) {
      return Array.get(Array.newInstance(type, 1), 0);
    }
    return type == String.class ? "" : null;
  }

  private static String describe(@Nullable Object value) {
    if (value == null) {
      return "null";
    }
    if (value.getClass().isArray()) {
      StringJoiner elements = new StringJoiner(",", "(", ")");
      for (int i = 0; i < Array.getLength(value); i++) {
        elements.add(describe(Array.get(value, i)));
      }
      return elements.toString();
    }
    if (value instanceof Collection<?> several) {
      return describe(several.toArray());
    }
    if (value instanceof CharSequence
        || value instanceof Number
        || value instanceof Boolean
        || value instanceof Enum
        || value instanceof UUID
        || value instanceof TemporalAccessor
        || value instanceof java.util.Date
        || Proxy.isProxyClass(value.getClass())) {
      // With its length, so that no text can pass for two.
      String text = value.toString();
      return text.length() + ":" + text;
    }
    // A stream, or whatever else has no text of its own that is the same everywhere.
    return value.getClass().getName();
  }
}
