/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the Open Cybersecurity Schema Framework, version 1.8.0 (schema.ocsf.io), says of the class Detection
 * Finding with the profiles security_control and host, and of the objects that ours have: facts, for the
 * test that checks our findings against them.
 *
 * Each word is an attribute and its type: "!" required, "+" recommended, else optional. "[]": an array of
 * it. One of `at_least_one` must be there, if any is named. */

typedef struct SchemaObject {
        const char *name, *at_least_one, *attributes;
} SchemaObject;

static const SchemaObject schema[] = {
        { "detection_finding", "",
                        "activity_id:integer_t! category_uid:integer_t! class_uid:integer_t! "
                        "finding_info:finding_info! metadata:metadata! severity_id:integer_t! "
                        "time:timestamp_t! type_uid:long_t! action_id:integer_t+ confidence_id:integer_t+ "
                        "disposition_id:integer_t+ evidences:evidences[]+ is_alert:boolean_t+ "
                        "message:string_t+ observables:observable[]+ resources:resource_details[]+ "
                        "status_code:string_t+ status_detail:string_t+ status_id:integer_t+ "
                        "timezone_offset:integer_t+ action:string_t activity_name:string_t actor:actor "
                        "anomaly_analyses:anomaly_analysis[] attacks:attack[] "
                        "authorizations:authorization[] category_name:string_t class_name:string_t "
                        "comment:string_t confidence:string_t confidence_score:integer_t count:integer_t "
                        "device:device disposition:string_t duration:long_t end_time:timestamp_t "
                        "enrichments:enrichment[] firewall_rule:firewall_rule impact:string_t "
                        "impact_id:integer_t impact_score:integer_t malware:malware[] "
                        "malware_scan_info:malware_scan_info policy:policy raw_data:string_t "
                        "raw_data_hash:fingerprint raw_data_size:long_t remediation:remediation "
                        "risk_details:string_t risk_level:string_t risk_level_id:integer_t "
                        "risk_score:integer_t severity:string_t start_time:timestamp_t status:string_t "
                        "type_name:string_t unmapped:object vendor_attributes:vendor_attributes "
                        "vulnerabilities:vulnerability[]" },
        { "metadata", "",
                        "product:product! version:string_t! log_name:string_t+ original_time:string_t+ "
                        "reporter:reporter+ tenant_uid:string_t+ correlation_uid:string_t "
                        "debug:string_t[] event_code:string_t extension:extension extensions:extension[] "
                        "is_truncated:boolean_t labels:string_t[] log_format:string_t log_level:string_t "
                        "log_provider:string_t log_source:string_t log_version:string_t "
                        "logged_time:timestamp_t loggers:logger[] modified_time:timestamp_t "
                        "original_event_uid:string_t processed_time:timestamp_t profiles:string_t[] "
                        "sequence:integer_t source:string_t tags:key_value_object[] "
                        "total_queued_duration:timespan transformation_info_list:transformation_info[] "
                        "transmit_time:timestamp_t type:string_t uid:string_t untruncated_size:integer_t" },
        { "product", "name uid",
                        "name:string_t+ uid:string_t+ vendor_name:string_t+ version:string_t+ "
                        "cpe_name:string_t feature:feature lang:string_t path:string_t url_string:url_t" },
        { "finding_info", "",
                        "uid:string_t! analytic:analytic+ title:string_t+ attack_graph:graph "
                        "attacks:attack[] created_time:timestamp_t data_sources:string_t[] desc:string_t "
                        "first_seen_time:timestamp_t kill_chain:kill_chain_phase[] "
                        "last_seen_time:timestamp_t modified_time:timestamp_t product:product "
                        "product_uid:string_t related_analytics:analytic[] related_events:related_event[] "
                        "related_events_count:integer_t src_url:url_t tags:key_value_object[] "
                        "traits:trait[] types:string_t[] uid_alt:string_t" },
        { "analytic", "name uid",
                        "type_id:integer_t! name:string_t+ uid:string_t+ algorithm:string_t "
                        "category:string_t desc:string_t related_analytics:analytic[] state:string_t "
                        "state_id:integer_t type:string_t version:string_t" },
        { "attack", "tactic technique sub_technique",
                        "sub_technique:sub_technique+ tactic:tactic+ technique:technique+ "
                        "version:string_t+ mitigation:mitigation tactics:tactic[]" },
        { "policy", "name uid", "version:string_t+ desc:string_t group:group name:string_t uid:string_t" },
        { "technique", "name uid", "name:string_t+ uid:string_t+ src_url:url_t" },
        { "sub_technique", "name uid", "name:string_t+ uid:string_t+ src_url:url_t" },
        { "evidences",
                        "actor api connection_info data database databucket device dst_endpoint email file "
                        "process query resources src_endpoint url user job script",
                        "actor:actor+ api:api+ connection_info:network_connection_info+ "
                        "container:container+ database:database+ databucket:databucket+ device:device+ "
                        "dst_endpoint:network_endpoint+ email:email+ file:file+ "
                        "http_request:http_request+ http_response:http_response+ "
                        "ja4_fingerprint_list:ja4_fingerprint[]+ job:job+ process:process+ "
                        "query:dns_query+ resources:resource_details[]+ script:script+ "
                        "src_endpoint:network_endpoint+ tls:tls+ url:url+ user:user+ data:json_t "
                        "name:string_t uid:string_t verdict:string_t verdict_id:integer_t" },
        { "actor", "process user invoked_by session app_name app_uid",
                        "process:process+ user:user+ app_name:string_t app_uid:string_t "
                        "authorizations:authorization[] idp:idp invoked_by:string_t session:session" },
        { "process", "pid uid cpid",
                        "cmd_line:string_t+ cpid:uuid_t+ created_time:timestamp_t+ file:file+ "
                        "name:process_name_t+ parent_process:process+ pid:integer_t+ uid:string_t+ "
                        "user:user+ ancestry:process_entity[] "
                        "environment_variables:environment_variable[] integrity:string_t "
                        "integrity_id:integer_t lineage:file_path_t[] loaded_modules:string_t[] "
                        "path:string_t ptid:long_t sandbox:string_t session:session "
                        "terminated_time:timestamp_t tid:integer_t working_directory:string_t "
                        "xattributes:object" },
        { "process_entity", "cmd_line name path pid uid cpid",
                        "cmd_line:string_t+ cpid:uuid_t+ created_time:timestamp_t+ name:process_name_t+ "
                        "pid:integer_t+ uid:string_t+ path:string_t" },
        { "user", "account name uid",
                        "has_mfa:boolean_t+ name:username_t+ type_id:integer_t+ uid:string_t+ "
                        "account:account credential_uid:string_t display_name:string_t domain:string_t "
                        "email_addr:email_t forward_addr:email_t full_name:string_t groups:group[] "
                        "ldap_person:ldap_person org:organization phone_number:string_t "
                        "programmatic_credentials:programmatic_credential[] risk_level:string_t "
                        "risk_level_id:integer_t risk_score:integer_t type:string_t uid_alt:string_t" },
        { "file", "name uid",
                        "name:file_name_t! type_id:integer_t! ext:string_t+ hashes:fingerprint[]+ "
                        "path:file_path_t+ accessed_time:timestamp_t accessor:user attributes:integer_t "
                        "company_name:string_t confidentiality:string_t confidentiality_id:integer_t "
                        "created_time:timestamp_t creator:user desc:string_t drive_type:string_t "
                        "drive_type_id:integer_t encryption_details:encryption_details "
                        "imported_symbols:string_t[] internal_name:string_t is_deleted:boolean_t "
                        "is_encrypted:boolean_t is_readonly:boolean_t is_system:boolean_t "
                        "mime_type:string_t modified_time:timestamp_t modifier:user owner:user "
                        "parent_folder:string_t product:product security_descriptor:string_t "
                        "signature:digital_signature signatures:digital_signature[] size:long_t "
                        "tags:key_value_object[] type:string_t uid:string_t uri:url_t url:url "
                        "version:string_t volume:string_t xattributes:object" },
        { "fingerprint", "", "algorithm_id:integer_t! value:file_hash_t! algorithm:string_t" },
        { "network_endpoint",
                        "ip uid name hostname svc_name instance_uid interface_uid interface_name domain",
                        "hostname:hostname_t+ instance_uid:string_t+ interface_name:string_t+ "
                        "interface_uid:string_t+ ip:ip_t+ name:string_t+ owner:user+ port:port_t+ "
                        "svc_name:string_t+ type_id:integer_t+ uid:string_t+ agent_list:agent[] "
                        "autonomous_system:autonomous_system domain:string_t fingerprints:fingerprint[] "
                        "hw_info:device_hw_info intermediate_ips:ip_t[] isp:string_t isp_org:string_t "
                        "location:location mac:mac_t mac_vendor:string_t network_scope:string_t "
                        "network_scope_id:integer_t os:os pool:group proxy_endpoint:network_proxy "
                        "subnet_uid:string_t type:string_t vlan_uid:string_t vpc_uid:string_t "
                        "zone:string_t" },
        { "network_connection_info", "",
                        "direction_id:integer_t! boundary_id:integer_t+ protocol_name:string_t+ "
                        "protocol_num:integer_t+ protocol_ver_id:integer_t+ uid:string_t+ "
                        "boundary:string_t community_uid:string_t direction:string_t "
                        "flag_history:string_t protocol_ver:string_t session:session tcp_flags:integer_t" },
        { "container", "uid name",
                        "hash:fingerprint+ image:image+ name:string_t+ size:long_t+ uid:string_t+ "
                        "labels:string_t[] network_driver:string_t orchestrator:string_t pod_uuid:uuid_t "
                        "runtime:string_t tag:string_t tags:key_value_object[]" },
        { "observable", "",
                        "type_id:integer_t! name:string_t+ event_uid:string_t reputation:reputation "
                        "type:string_t type_uid:long_t value:string_t" },
        { "resource_details", "",
                        "hostname:hostname_t+ ip:ip_t+ name:string_t+ owner:user+ role_id:integer_t+ "
                        "uid:resource_uid_t+ agent_list:agent[] created_time:timestamp_t "
                        "criticality:string_t data:json_t group:group is_backed_up:boolean_t "
                        "labels:string_t[] modified_time:timestamp_t namespace:string_t "
                        "resource_relationship:graph role:string_t tags:key_value_object[] type:string_t "
                        "uid_alt:resource_uid_t version:string_t" },
        { "device", "ip uid name hostname instance_uid interface_uid interface_name",
                        "type_id:integer_t! hostname:hostname_t+ instance_uid:string_t+ "
                        "interface_name:string_t+ interface_uid:string_t+ owner:user+ region:string_t+ "
                        "type:string_t+ uid:string_t+ vendor_name:string_t+ agent_list:agent[] "
                        "autoscale_uid:string_t boot_time:timestamp_t boot_uid:string_t "
                        "created_time:timestamp_t desc:string_t domain:string_t eid:string_t "
                        "first_seen_time:timestamp_t groups:group[] hw_info:device_hw_info "
                        "hypervisor:string_t iccid:string_t image:image imei:string_t "
                        "imei_list:string_t[] ip:ip_t is_backed_up:boolean_t is_compliant:boolean_t "
                        "is_managed:boolean_t is_mobile_account_active:boolean_t is_personal:boolean_t "
                        "is_shared:boolean_t is_supervised:boolean_t is_trusted:boolean_t "
                        "last_seen_time:timestamp_t location:location mac:mac_t mac_vendor:string_t "
                        "meid:string_t model:string_t modified_time:timestamp_t name:string_t "
                        "network_interfaces:network_interface[] org:organization os:os "
                        "os_machine_uuid:uuid_t pool:group risk_level:string_t risk_level_id:integer_t "
                        "risk_score:integer_t subnet:subnet_t subnet_uid:string_t udid:string_t "
                        "uid_alt:string_t vlan_uid:string_t vpc_uid:string_t zone:string_t" },
};
