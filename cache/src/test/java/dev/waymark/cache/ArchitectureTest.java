package dev.waymark.cache;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaCodeUnit;
import com.tngtech.archunit.core.domain.JavaField;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class ArchitectureTest {
  private final JavaClasses classes =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("dev.waymark.cache");

  @Test
  void cacheDoesNotKnowRouting() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAPackage("dev.waymark.routing..")
        .check(classes);
  }

  @Test
  void redissonAndJacksonStayInTwoClassesEach() {
    noClasses()
        .that()
        .haveNameNotMatching(".*\\.(RedissonTier|PlainReads)(\\$.*)?")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("org.redisson..")
        .check(classes);
    noClasses()
        .that()
        .haveNameNotMatching(".*\\.Jackson(Codec|Schema)(\\$.*)?")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("com.fasterxml..")
        .check(classes);
  }

  /** Micrometer is optional: only who names this class needs it. */
  @Test
  void micrometerStaysInOneClass() {
    noClasses()
        .that()
        .doNotHaveSimpleName("CacheMetrics")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("io.micrometer..")
        .check(classes);
  }

  @Test
  void publicSignaturesShowOnlyOurTypesAndJavas() {
    Set<String> shown =
        classes.stream()
            .filter(type -> isOpen(type) && !type.getSimpleName().equals("CacheMetrics"))
            .flatMap(
                type ->
                    Stream.concat(
                        Stream.concat(
                            type.getAllRawInterfaces().stream(),
                            type.getAllRawSuperclasses().stream()),
                        Stream.concat(
                            type.getCodeUnits().stream()
                                .filter(unit -> isOpen(unit.getModifiers()))
                                .flatMap(ArchitectureTest::typesIn),
                            type.getFields().stream()
                                .filter(field -> isOpen(field.getModifiers()))
                                .map(JavaField::getRawType))))
            .map(type -> type.getBaseComponentType().getPackageName())
            .collect(Collectors.toCollection(TreeSet<String>::new));
    shown.removeIf(name -> name.startsWith("java.") || name.isEmpty());
    assertThat(shown).isSubsetOf("dev.waymark", "dev.waymark.cache");
  }

  @Test
  void publicTypesAreFew() {
    Set<String> names =
        classes.stream()
            .filter(type -> isOpen(type))
            .map(JavaClass::getSimpleName)
            .collect(Collectors.toCollection(TreeSet::new));
    assertThat(names)
        .containsExactly(
            "Builder",
            "BulkLoader",
            "CacheAnswer",
            "CacheChanges",
            "CacheCondition",
            "CacheExplanation",
            "CacheListener",
            "CacheMetrics",
            "CacheStatistics",
            "Codec",
            "Loader",
            "NotKept",
            "RedisTier",
            "Statistics",
            "Tier",
            "TieredCache",
            "Wait");
  }

  private static Stream<JavaClass> typesIn(JavaCodeUnit unit) {
    return Stream.concat(Stream.of(unit.getRawReturnType()), unit.getRawParameterTypes().stream());
  }

  private static boolean isOpen(JavaClass type) {
    return isOpen(type.getModifiers())
        && type.getEnclosingClass().map(outer -> isOpen(outer)).orElse(true);
  }

  private static boolean isOpen(Set<JavaModifier> modifiers) {
    return modifiers.contains(JavaModifier.PUBLIC) || modifiers.contains(JavaModifier.PROTECTED);
  }
}
