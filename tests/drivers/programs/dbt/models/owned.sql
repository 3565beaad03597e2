{{ config(materialized='view') }}
select number, source, owner from {{ ref('numbered') }} join {{ ref('owners') }} using (source)
