import java.lang.reflect.Field;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.config.QuotaConfig;
import org.apache.kafka.server.metrics.ClientMetricsConfigs;
import org.apache.kafka.storage.internals.log.LogConfig;

/** Prints every configuration key of the release: scope, name, type, default (\R none, \N null), check, importance, internal, update mode. */
public class DescribeDefinitions {
    static String text(Object value) {
        return value == null ? "\\N" : value.toString();
    }

    static boolean flag(Object target, String field) throws Exception {
        Field found = target.getClass().getDeclaredField(field);
        found.setAccessible(true);
        return found.getBoolean(target);
    }

    static String check(ConfigDef.Validator validator) throws Exception {
        if (validator == null) {
            return "";
        }
        String kind = validator.getClass().getSimpleName();
        if (validator instanceof ConfigDef.ValidList) {
            kind += "," + flag(validator, "isEmptyAllowed") + "," + flag(validator, "isNullAllowed");
        }
        return kind + "|" + validator;
    }

    static void print(String scope, ConfigDef definitions) throws Exception {
        Map<String, String> modes = scope.startsWith("broker") ? DynamicBrokerConfig.dynamicConfigUpdateModes() : Map.of();
        for (ConfigDef.ConfigKey key : new TreeMap<>(definitions.configKeys()).values()) {
            String value = key.hasDefault() ? text(ConfigDef.convertToString(key.defaultValue, key.type)) : "\\R";
            System.out.println(String.join("\t", scope, key.name, key.type.name(), value, check(key.validator), key.importance.name(),
                String.valueOf(key.internalConfig), modes.getOrDefault(key.name, "read-only")));
        }
    }

    public static void main(String[] arguments) throws Exception {
        print("topic", LogConfig.configDefCopy());
        print("broker", AbstractKafkaConfig.CONFIG_DEF);
        print("broker quota", QuotaConfig.brokerQuotaConfigs());
        print("group", GroupConfig.CONFIG_DEF);
        print("client metrics", ClientMetricsConfigs.configDef());
        print("producer", ProducerConfig.configDef());
        print("consumer", ConsumerConfig.configDef());
    }
}
