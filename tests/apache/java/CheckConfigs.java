import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import kafka.server.ConfigHelper;
import kafka.server.ControllerConfigurationValidator;
import kafka.server.KafkaConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.message.DescribeConfigsRequestData;
import org.apache.kafka.common.message.DescribeConfigsResponseData;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.metadata.ConfigRepository;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.apache.kafka.server.metrics.ClientMetricsConfigs;
import org.apache.kafka.storage.internals.log.LogConfig;

/**
 * Answers one line on standard input with one line: "ok", a tab and a text, or "error", a tab and the message. Words are separated by tabs.
 *   parse SCOPE KEY TEXT            the value of one key
 *   start [KEY=VALUE ...]           whether a node starts with such a file (its configuration alone)
 *   topic|group|client-metrics NAME [KEY=VALUE ...] -- [KEY=VALUE ...]    whether configs may be set, under a node's file
 *   dynamic broker|default [KEY=VALUE ...] -- [KEY=VALUE ...]             whether these may become dynamic configs, under a node's file
 *   describe TYPE NAME [KEY=VALUE ...] -- [KEY=VALUE ...] -- [KEY=VALUE ...] -- [KEY=VALUE ...]
 *       the resource's configs, the cluster's, the broker's, the file: entries NAME|VALUE|SOURCE|TYPE|SENSITIVE|READONLY|SYNONYMS separated by tabs
 */
public class CheckConfigs {
    static final Map<String, ConfigDef> SCOPES = Map.of("broker", AbstractKafkaConfig.CONFIG_DEF, "topic", LogConfig.configDefCopy(), "group", GroupConfig.CONFIG_DEF,
        "client metrics", ClientMetricsConfigs.configDef(), "producer", ProducerConfig.configDef(), "consumer", ConsumerConfig.configDef());

    static Properties[] groups(String[] words, int start) {
        Properties[] groups = new Properties[4];
        int at = 0;
        groups[0] = new Properties();
        for (int i = start; i < words.length; i++) {
            if (words[i].equals("--")) {
                groups[++at] = new Properties();
            } else {
                int split = words[i].indexOf('=');
                groups[at].setProperty(words[i].substring(0, split), words[i].substring(split + 1));
            }
        }
        return groups;
    }

    static Map<String, String> texts(Properties properties) {
        Map<String, String> found = new HashMap<>();
        properties.stringPropertyNames().forEach(name -> found.put(name, properties.getProperty(name)));
        return found;
    }

    static String parse(String scope, String key, String text) {
        ConfigDef.ConfigKey known = SCOPES.get(scope).configKeys().get(key);
        ConfigDef one = new ConfigDef().define(known);
        return String.valueOf(ConfigDef.convertToString(one.parse(Map.of(key, text)).get(key), known.type));
    }

    static String change(ConfigResource.Type type, String name, Properties[] groups) {
        new ControllerConfigurationValidator(KafkaConfig.fromProps(groups[1], false)).validate(new ConfigResource(type, name), texts(groups[0]), Map.of());
        return "";
    }

    static String dynamic(boolean perBroker, Properties[] groups) throws Exception {
        KafkaConfig config = KafkaConfig.fromProps(groups[1], false);
        config.dynamicConfig().initialize(scala.Option.empty());
        config.dynamicConfig().validate(groups[0], perBroker);
        return "";
    }

    static String describe(ConfigResource.Type type, String name, Properties[] groups) {
        KafkaConfig config = KafkaConfig.fromProps(groups[3], false);
        config.dynamicConfig().initialize(scala.Option.empty());
        config.dynamicConfig().updateDefaultConfig(groups[1], false);
        config.dynamicConfig().updateBrokerConfig(config.brokerId(), groups[2], false);
        ConfigRepository repository = resource -> groups[0];
        ConfigHelper helper = new ConfigHelper(null, config, repository);
        Map<String, DescribeConfigsResponseData.DescribeConfigsResourceResult> entries = new TreeMap<>();
        if (type == ConfigResource.Type.TOPIC) {
            LogConfig log = LogConfig.fromProps(config.extractLogConfigMap(), groups[0]);
            log.originals().forEach((key, value) -> {
                if (!log.nonInternalValues().containsKey(key)) {
                    entries.put(key, helper.createTopicConfigEntry(log, groups[0], true, false, key, value));
                }
            });
            log.nonInternalValues().forEach((key, value) -> entries.put(key, helper.createTopicConfigEntry(log, groups[0], true, false, key, value)));
        } else {
            var asked = new DescribeConfigsRequestData.DescribeConfigsResource().setResourceType(type.id()).setResourceName(name);
            var results = helper.describeConfigs(scala.jdk.javaapi.CollectionConverters.asScala(List.of(asked)).toList(), true, false);
            var result = results.head();
            if (result.errorCode() != 0) {
                throw new IllegalArgumentException(result.errorMessage());
            }
            result.configs().forEach(entry -> entries.put(entry.name(), entry));
        }
        StringBuilder line = new StringBuilder();
        entries.values().forEach(entry -> {
            line.append(line.length() == 0 ? "" : "\t").append(String.join("|", entry.name(), String.valueOf(entry.value()), String.valueOf(entry.configSource()),
                String.valueOf(entry.configType()), String.valueOf(entry.isSensitive()), String.valueOf(entry.readOnly())));
            entry.synonyms().forEach(synonym -> line.append("|").append(synonym.name()).append("=").append(synonym.value()).append("@").append(synonym.source()));
        });
        return line.toString();
    }

    static String answer(String[] words) throws Exception {
        switch (words[0]) {
            case "parse":
                return parse(words[1], words[2], words.length > 3 ? words[3] : "");
            case "start":
                KafkaConfig.fromProps(groups(words, 1)[0], false);
                return "";
            case "topic":
                return change(ConfigResource.Type.TOPIC, words[1], groups(words, 2));
            case "group":
                return change(ConfigResource.Type.GROUP, words[1], groups(words, 2));
            case "client-metrics":
                return change(ConfigResource.Type.CLIENT_METRICS, words[1], groups(words, 2));
            case "dynamic":
                return dynamic(words[1].equals("broker"), groups(words, 2));
            default:
                return describe(ConfigResource.Type.valueOf(words[1]), words[2], groups(words, 3));
        }
    }

    public static void main(String[] arguments) throws Exception {
        System.setOut(new PrintStream(System.out, true, StandardCharsets.UTF_8));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String said;
            try {
                said = "ok\t" + answer(line.split("\t", -1));
            } catch (Throwable refused) {
                said = "error\t" + refused.getClass().getSimpleName() + "\t" + String.valueOf(refused.getMessage()).replace("\n", " ");
            }
            System.out.println(said);
        }
    }
}
