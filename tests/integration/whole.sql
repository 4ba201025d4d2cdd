-- Things with all that the tutorial's templates give: type, group, an ACTIVE (0) certificate, its policy.
SELECT t.name FROM things t
WHERE t.type IS NOT NULL
  AND json_extract(t.attributes, '$.serialNumber') IS NOT NULL
  AND EXISTS (SELECT 1 FROM thing_group_members m WHERE m.thing = t.key)
  AND EXISTS (SELECT 1 FROM thing_principals p JOIN certificates c ON c.key = p.certificate
              JOIN certificate_policies a ON a.certificate = c.key
              WHERE p.thing = t.key AND c.status = 0);
