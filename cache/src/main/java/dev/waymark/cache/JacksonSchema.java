package dev.waymark.cache;

import com.fasterxml.jackson.databind.BeanDescription;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationConfig;
import com.fasterxml.jackson.databind.introspect.BeanPropertyDefinition;
import com.fasterxml.jackson.databind.jsontype.NamedType;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;

/**
 * What Jackson sees of a class: names and types of its properties, and of theirs. Two builds of a
 * program that would read each other's bytes differently come to different hashes; the order in
 * which fields or constants stand in the source does not matter.
 */
final class JacksonSchema {
  private static final int BYTES = 8;

  private final SerializationConfig config;
  private final StringBuilder text = new StringBuilder();

  /** In the order in which they were met: a type is named by its number from then on. */
  private final List<JavaType> met = new ArrayList<>();

  private JacksonSchema(SerializationConfig config) {
    this.config = config;
  }

  /** 64 bits in hexadecimal. */
  static String hash(ObjectMapper mapper, JavaType type) {
    JacksonSchema schema = new JacksonSchema(mapper.getSerializationConfig());
    schema.describe(type);
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256")
              .digest(schema.text.toString().getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest, 0, BYTES);
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("Every Java platform has SHA-256", impossible);
    }
  }

  private void describe(JavaType type) {
    int number = met.indexOf(type);
    if (number >= 0) {
      text.append('#').append(number);
    } else if (isOfThePlatform(type)) {
      text.append(type.isArrayType() ? "[]" : type.getRawClass().getName()).append('<');
      for (JavaType contained : contained(type)) {
        describe(contained);
      }
      text.append('>');
    } else if (type.isEnumType()) {
      Object[] constants = type.getRawClass().getEnumConstants();
      text.append(
          Arrays.stream(constants == null ? new Object[0] : constants)
              .map(constant -> ((Enum<?>) constant).name())
              .sorted()
              .toList());
    } else {
      // Not by its name: a class that is only moved is read as before.
      met.add(type);
      describeProperties(type);
    }
  }

  private void describeProperties(JavaType type) {
    BeanDescription bean = config.introspect(type);
    List<BeanPropertyDefinition> properties = new ArrayList<>(bean.findProperties());
    properties.sort(Comparator.comparing(BeanPropertyDefinition::getName));
    text.append('{');
    for (BeanPropertyDefinition property : properties) {
      text.append(property.getName()).append(':');
      describe(property.getPrimaryType());
      text.append(',');
    }
    if (config.getAnnotationIntrospector().findPolymorphicTypeInfo(config, bean.getClassInfo())
        != null) {
      config
          .getSubtypeResolver()
          .collectAndResolveSubtypesByClass(config, bean.getClassInfo())
          .stream()
          .filter(subtype -> subtype.getType() != type.getRawClass())
          .sorted(Comparator.comparing((NamedType subtype) -> subtype.getType().getName()))
          .forEach(
              subtype -> {
                text.append(subtype.getName()).append('=');
                describe(config.constructType(subtype.getType()));
              });
    }
    text.append('}');
  }

  private static List<JavaType> contained(JavaType type) {
    List<JavaType> parameters = new ArrayList<>(type.getBindings().getTypeParameters());
    if (type.isArrayType()) {
      parameters.add(type.getContentType());
    }
    return parameters;
  }

  private static boolean isOfThePlatform(JavaType type) {
    return type.isPrimitive()
        || type.isContainerType()
        || type.getRawClass().getName().startsWith("java.");
  }
}
